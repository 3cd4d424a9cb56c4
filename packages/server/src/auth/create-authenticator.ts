import { LannerError } from '@lanner/protocol';
import type { ChangeFeed } from '../lib/change-feed.ts';
import { createLruMap } from '../lib/lru-map.ts';
import { equalHashes, fingerprintOf, hashKeySecret } from './key-secret.ts';
import type { KeyStore, KeyWithOwner } from './key-store.ts';
import { splitKey } from './parse-credential.ts';
import { effectivePermissions } from './permissions.ts';
import type { Authenticator, PresentedCredential, Principal } from './principal.ts';

/** Principals kept in memory; each is a few hundred bytes. */
const cachedPrincipals = 10_000;

/**
 * Checks credentials against the key store, and remembers good ones by the hash of the whole credential, so that the hot
 * path costs one hash and no I/O. `key.revoked` on the change feed forgets a key at once.
 *
 * A Bearer token that is a key (`id:secret`) is taken as one. Short-lived tokens call apps and nothing else: call-authenticator.ts.
 */
export function createAuthenticator(options: {
  store: KeyStore;
  changeFeed: ChangeFeed;
}): Authenticator & { close(): void } {
  const { store, changeFeed } = options;
  const cache = createLruMap<string, Principal>(cachedPrincipals);
  // Counts revocations: a key that was read before one and arrives after it must not enter the cache.
  let revocations = 0;
  const unsubscribe = changeFeed.subscribe((change) => {
    if (change.type !== 'key.revoked') return;
    revocations += 1;
    cache.deleteWhere((principal) => principal.keyId === change.keyId);
  });

  const checkKey = async (keyId: string, keySecret: string): Promise<Principal> => {
    const fingerprint = fingerprintOf(keyId, keySecret);
    const cached = cache.get(fingerprint);
    if (cached !== undefined) return cached;
    const revocationsBefore = revocations;
    const key = await store.findWithOwner(keyId);
    if (key === null || !equalHashes(key.secretHash, hashKeySecret(keySecret))) throw unknownKey();
    const principal = toPrincipal(key);
    if (revocations === revocationsBefore) cache.set(fingerprint, principal);
    return principal;
  };

  const authenticateOptional = async (presented: PresentedCredential): Promise<Principal | null> => {
    switch (presented.kind) {
      case 'none':
        return null;
      case 'malformed':
        throw new LannerError('malformed_credentials', presented.message);
      case 'key':
        return checkKey(presented.keyId, presented.keySecret);
      case 'bearer': {
        const key = splitKey(presented.token);
        if (key === null) throw unknownToken();
        return checkKey(key.keyId, key.keySecret);
      }
    }
  };

  return {
    authenticateOptional,
    async authenticate(presented) {
      const principal = await authenticateOptional(presented);
      if (principal === null) {
        throw new LannerError(
          'missing_credentials',
          "Authentication is required. Send the header 'Authorization: Key <key_id>:<key_secret>'.",
        );
      }
      return principal;
    },
    close: unsubscribe,
  };
}

/** The text that clients of the hosted platform know (data-plane 2.4); the same for a wrong id and a wrong secret. */
function unknownKey(): LannerError {
  return new LannerError('unknown_key', 'No user found for Key ID and Secret');
}

function unknownToken(): LannerError {
  return new LannerError(
    'unknown_key',
    'No user found for this Bearer token. Keys are accepted here (<key_id>:<key_secret>), short-lived tokens only for calls of apps.',
  );
}

function toPrincipal(key: KeyWithOwner): Principal {
  return {
    accountId: key.accountId,
    nickname: key.nickname,
    keyId: key.keyId,
    permissions: new Set(effectivePermissions(key)),
  };
}
