import { randomUUID } from 'node:crypto';
import { LannerError, type Clock } from '@lanner/protocol';
import type { ChangeFeed } from '../lib/change-feed.ts';
import { createKeySecret, hashKeySecret } from './key-secret.ts';
import type { KeyStore } from './key-store.ts';
import type { KeyGrant, Keys, NewKey } from './keys.ts';
import { effectivePermissions, resolveGrant } from './permissions.ts';

const longestDescription = 1_024;

/** Keys over a store. Every revocation is published as `key.revoked` once it is durable. */
export function createKeys(options: { store: KeyStore; clock: Clock; changeFeed: ChangeFeed }): Keys {
  const { store, clock, changeFeed } = options;

  const add = async (
    accountId: string,
    grant: KeyGrant,
    description: string,
    runnerId: string | null,
  ): Promise<NewKey> => {
    const { preset, permissions } = resolveGrant(grant);
    const keyId = randomUUID();
    const keySecret = createKeySecret();
    await store.insert({
      keyId,
      accountId,
      secretHash: hashKeySecret(keySecret),
      description,
      preset,
      permissions,
      runnerId,
      createdAtMs: clock.nowMs(),
    });
    return { keyId, keySecret };
  };

  const publishRevoked = (keyIds: string[]): void => {
    for (const keyId of keyIds) changeFeed.publish({ type: 'key.revoked', keyId });
  };

  return {
    create(accountId, grant, description) {
      if (description.length > longestDescription) {
        return Promise.reject(
          new LannerError(
            'invalid_argument',
            `The description of the key has ${description.length} characters; ${longestDescription} are allowed.`,
          ),
        );
      }
      return add(accountId, grant, description, null);
    },

    createRunnerKey: (accountId, runnerId) => add(accountId, { preset: 'API' }, '', runnerId),

    async revokeRunnerKey(runnerId) {
      publishRevoked(await store.removeOfRunner(runnerId));
    },

    async keepOnlyRunnerKeys(liveRunnerIds) {
      publishRevoked(await store.removeOfOtherRunners([...liveRunnerIds]));
    },

    async list(accountId) {
      const keys = await store.list(accountId);
      return keys.map((key) => ({
        keyId: key.keyId,
        accountId: key.accountId,
        createdAtMs: key.createdAtMs,
        description: key.description,
        preset: key.preset,
        permissions: [...effectivePermissions(key)],
      }));
    },

    async revoke(accountId, keyId) {
      if (!(await store.remove(accountId, keyId))) {
        throw new LannerError(
          'not_found',
          `Key "${shownKeyId(keyId)}" was not found in this account. \`fal keys list\` shows the ids of its keys.`,
        );
      }
      publishRevoked([keyId]);
    },
  };
}

/** A secret pasted in place of an id must not come back in an error: only the beginning of long texts is shown. */
function shownKeyId(text: string): string {
  return text.length <= 36 ? text : `${text.slice(0, 8)}…`;
}
