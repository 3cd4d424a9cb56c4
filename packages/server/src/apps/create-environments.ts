import { LannerError, type Clock } from '@lanner/protocol';
import type { ChangeFeed } from '../lib/change-feed.ts';
import { mainEnvironment } from './alias-name.ts';
import { toAliasId } from './app-store.ts';
import type { EnvironmentStore } from './environment-store.ts';
import type { Environments } from './environments-and-secrets.ts';

const longestName = 64;
const longestDescription = 1_024;

/** Environments over a store. Deleting one publishes what went with it, aliases first. */
export function createEnvironments(options: {
  store: EnvironmentStore;
  clock: Clock;
  changeFeed: ChangeFeed;
}): Environments {
  const { store, clock, changeFeed } = options;

  const unknown = async (accountId: string, name: string): Promise<LannerError> => {
    const known = (await store.list(accountId)).map((environment) => environment.name);
    return new LannerError(
      'not_found',
      `Environment "${name.slice(0, 100)}" was not found in this account. It has ${known.join(', ') || 'none'}.`,
    );
  };

  return {
    list: (accountId) => store.list(accountId),

    async create(accountId, name, description) {
      assertEnvironmentName(name);
      if (description !== null && description.length > longestDescription) {
        throw new LannerError(
          'invalid_argument',
          `The description has ${description.length} characters; ${longestDescription} are allowed.`,
        );
      }
      const environment = { name, description, createdAtMs: clock.nowMs() };
      if (!(await store.insert(accountId, environment))) {
        throw new LannerError('already_exists', `Environment "${name}" already exists in this account.`);
      }
      return { ...environment, isDefault: name === mainEnvironment };
    },

    async delete(accountId, name) {
      if (name === mainEnvironment) {
        throw new LannerError('conflict', `Environment "${mainEnvironment}" always exists and cannot be deleted.`);
      }
      const removed = await store.remove(accountId, name);
      if (removed === null) throw await unknown(accountId, name);
      for (const aliasName of removed.aliasNames) {
        changeFeed.publish({ type: 'alias.deleted', aliasId: toAliasId(accountId, aliasName), accountId, aliasName });
      }
      for (const revisionId of removed.revisionIds)
        changeFeed.publish({ type: 'revision.deleted', revisionId, accountId });
      for (const secretName of removed.secretNames) {
        changeFeed.publish({ type: 'secret.changed', accountId, environmentName: name, name: secretName });
      }
    },

    async assertExists(accountId, name) {
      const environments = await store.list(accountId);
      if (!environments.some((environment) => environment.name === name)) throw await unknown(accountId, name);
    },
  };
}

/**
 * The name becomes the `--name` suffix of app names: one path segment, and no `--` of its own.
 * @throws LannerError `invalid_argument`.
 */
export function assertEnvironmentName(name: string): void {
  if (name.length <= longestName && /^[A-Za-z0-9][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*$/.test(name)) return;
  throw new LannerError(
    'invalid_argument',
    `"${name.slice(0, 100)}" cannot be the name of an environment. Use up to ${longestName} letters, digits, single "-" and "_", ` +
      'beginning with a letter or digit, for example "staging".',
  );
}
