import { createPrivateKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { LannerError, type Clock } from '@lanner/protocol';
import type { SecretBox } from '../apps/secret-box.ts';
import type { StoredWebhookKey, WebhookKeyStore } from './webhook-key-store.ts';

/** A public key as a JWK set shows it (RFC 8037). */
export interface PublicJwk {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  use: 'sig';
  alg: 'EdDSA';
}

/** A key as administrators see it. */
export interface WebhookKeyInfo {
  keyId: string;
  createdAtMs: number;
  signsFromMs: number;
  publishedUntilMs: number | null;
}

/** The keys of this installation, for signing and for the world to see. */
export interface SigningKeys {
  /** The private key that signs now. */
  current(): KeyObject;
  /** Everything a receiver may meet, from a day before its first use to a day after its last. */
  published(): PublicJwk[];
  list(): WebhookKeyInfo[];
  /**
   * Makes a new key. It signs once every receiver knows it, the others stay published until a day after; `immediately` (a key
   * became known to somebody) it signs at once and the others are withdrawn, and receivers that kept the old set refuse webhooks
   * until they fetch it anew.
   * @throws LannerError `conflict` while a new key is waiting for its turn.
   */
  rotate(options: { immediately: boolean }): Promise<WebhookKeyInfo>;
}

/** Receivers may keep the set for a day (platform-semantics 6); a bit more, so that clocks may differ. */
const overlapMs = 25 * 60 * 60 * 1000;

const placeOf = (keyId: string): string[] => ['webhook key', keyId];

/**
 * Reads the keys, and makes the first one. A key that the secrets key does not open (it was lost, and a new one made) is withdrawn
 * and replaced: receivers fetch the set again, nothing else depends on it.
 */
export async function openSigningKeys(deps: {
  store: WebhookKeyStore;
  box: SecretBox;
  clock: Pick<Clock, 'nowMs'>;
  log: { error(facts: object, message: string): void };
}): Promise<SigningKeys> {
  const { store, box, clock, log } = deps;
  const opened = new Map<string, KeyObject>();

  const add = async (signsFromMs: number, othersUntilMs: number | null): Promise<StoredWebhookKey> => {
    const keyId = randomUUID();
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const key: StoredWebhookKey = {
      keyId,
      publicKey: publicKey.export({ format: 'jwk' }).x!,
      sealedPrivateKey: box.seal(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), placeOf(keyId)),
      createdAtMs: clock.nowMs(),
      signsFromMs,
      publishedUntilMs: null,
    };
    await store.add(key, othersUntilMs);
    opened.set(keyId, privateKey);
    keys = await store.list();
    return key;
  };

  await store.removeEnded(clock.nowMs());
  let keys = await store.list();
  let isForeign = false;
  for (const { keyId, sealedPrivateKey } of keys) {
    try {
      opened.set(keyId, createPrivateKey(box.open(sealedPrivateKey, placeOf(keyId))));
    } catch (error) {
      isForeign = true;
      log.error({ err: error, keyId }, 'a webhook key cannot be opened with the secrets key; a new one is made');
    }
  }
  if (isForeign) await add(clock.nowMs(), clock.nowMs());
  else if (keys.length === 0) await add(clock.nowMs(), null);

  const publishedNow = (): StoredWebhookKey[] => {
    const nowMs = clock.nowMs();
    return keys.filter((key) => key.publishedUntilMs === null || key.publishedUntilMs > nowMs);
  };

  return {
    current() {
      const nowMs = clock.nowMs();
      // A clock that was set back finds no key whose time has come: then the oldest one signs.
      const key = publishedNow().findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? publishedNow()[0]!;
      return opened.get(key.keyId)!;
    },
    published: () =>
      publishedNow().map(({ keyId, publicKey }) => ({
        kty: 'OKP',
        crv: 'Ed25519',
        x: publicKey,
        kid: keyId,
        use: 'sig',
        alg: 'EdDSA',
      })),
    list: () => publishedNow().map(toInfo),
    async rotate({ immediately }) {
      const nowMs = clock.nowMs();
      if (immediately) return toInfo(await add(nowMs, nowMs));
      const waiting = keys.find(({ signsFromMs }) => signsFromMs > nowMs);
      if (waiting !== undefined) {
        throw new LannerError(
          'conflict',
          `The key ${waiting.keyId} is published already and has not begun to sign. Wait for it, or rotate immediately.`,
        );
      }
      return toInfo(await add(nowMs + overlapMs, nowMs + 2 * overlapMs));
    },
  };
}

function toInfo({ keyId, createdAtMs, signsFromMs, publishedUntilMs }: StoredWebhookKey): WebhookKeyInfo {
  return { keyId, createdAtMs, signsFromMs, publishedUntilMs };
}
