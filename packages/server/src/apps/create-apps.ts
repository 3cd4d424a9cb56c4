import { randomUUID } from 'node:crypto';
import { LannerError, type Clock } from '@lanner/protocol';
import type { Change, ChangeFeed } from '../lib/change-feed.ts';
import { assertAliasName } from './alias-name.ts';
import { createAppDirectory } from './app-directory.ts';
import { toAliasId, type AppStore } from './app-store.ts';
import type { Revision } from './app-types.ts';
import type { Apps, ResolvedApp } from './apps.ts';
import type { MachineTypes } from './machine-types.ts';
import { applyPatch, assertCodeSpec, assertScaleSettings, decideAliasSettings, fillDefaults } from './settings.ts';

export interface AppsOptions {
  store: AppStore;
  changeFeed: ChangeFeed;
  clock: Clock;
  machineTypes: MachineTypes;
  /** A change of another process could not be read; the directory is behind until the next one. */
  onReloadError: (error: unknown) => void;
}

/**
 * Apps over a store, with every alias in memory. A change made here is in memory before its promise resolves and before
 * it is published; a change that arrives on the feed from elsewhere is read from the store.
 */
export async function createApps(options: AppsOptions): Promise<Apps & { close(): void }> {
  const { store, changeFeed, clock, machineTypes } = options;
  const directory = createAppDirectory();

  let isOwnChange = false;
  const publish = (change: Change): void => {
    isOwnChange = true;
    try {
      changeFeed.publish(change);
    } finally {
      isOwnChange = false;
    }
  };

  const apply = (app: ResolvedApp): void => {
    directory.put(app);
    const { aliasId, accountId, aliasName } = app.alias;
    publish({ type: 'alias.changed', aliasId, accountId, aliasName });
  };

  const reload = async (accountId: string, aliasName: string): Promise<void> => {
    const app = await store.findApp(accountId, aliasName);
    if (app === null) directory.remove(toAliasId(accountId, aliasName));
    else directory.put(app);
  };

  // Subscribed before the first read: a change in between is read again rather than missed. Reloads follow each other,
  // so that an older answer never overwrites a newer one.
  let reloads = Promise.resolve();
  const unsubscribe = changeFeed.subscribe((change) => {
    if (change.type === 'alias.deleted') directory.remove(change.aliasId);
    if (change.type !== 'alias.changed' || isOwnChange) return;
    reloads = reloads.then(() => reload(change.accountId, change.aliasName)).catch(options.onReloadError);
  });
  for (const app of await store.listApps()) directory.put(app);

  return {
    async addRevision(input) {
      const settings = fillDefaults(input.settings);
      assertScaleSettings(settings, machineTypes);
      assertCodeSpec(input.code, settings, machineTypes);
      if (input.aliasName !== null) assertAliasName(input.aliasName, input.environmentName);
      const revision: Revision = { ...input, settings, revisionId: randomUUID(), createdAtMs: clock.nowMs() };
      if (!(await store.insertRevision(revision))) throw unknownEnvironment(input.environmentName);
      return revision;
    },

    async pointAlias({ resetScale, ...input }) {
      assertAliasName(input.aliasName, input.environmentName);
      const outcome = await store.pointAlias({
        ...input,
        nowMs: clock.nowMs(),
        decideSettings: (current, revision) => decideAliasSettings(current, revision, resetScale),
      });
      if (outcome.kind === 'unknown_environment') throw unknownEnvironment(input.environmentName);
      if (outcome.kind === 'unknown_revision') throw unknownRevision(input.revisionId, input.environmentName);
      apply(outcome.app);
      return outcome.app.alias;
    },

    async updateSettings(accountId, aliasName, patch) {
      const app = await store.updateAliasSettings({
        accountId,
        aliasName,
        nowMs: clock.nowMs(),
        decideSettings(current) {
          const settings = applyPatch(current, patch);
          assertScaleSettings(settings, machineTypes);
          return settings;
        },
      });
      if (app === null) throw unknownApp(aliasName);
      apply(app);
      return app.alias;
    },

    async deleteAlias(accountId, aliasName) {
      const removed = await store.removeAlias(accountId, aliasName);
      if (removed === null) throw unknownApp(aliasName);
      const aliasId = toAliasId(accountId, aliasName);
      directory.remove(aliasId);
      publish({ type: 'alias.deleted', aliasId, accountId, aliasName });
      return { revisionId: removed.revisionId, aliasId };
    },

    async deleteRevision(accountId, revisionId) {
      const outcome = await store.removeRevision(accountId, revisionId);
      if (outcome === 'unknown') throw unknownRevision(revisionId, null);
      if (outcome === 'in_use') {
        throw new LannerError(
          'conflict',
          `Revision "${revisionId}" is in use: an app points to it. Point the app to another revision or delete it first.`,
        );
      }
      publish({ type: 'revision.deleted', revisionId, accountId });
    },

    getRevision: (accountId, revisionId) => store.findRevision(accountId, revisionId),
    getAlias: (accountId, aliasName) => store.findAlias(accountId, aliasName),
    listAliases: (accountId, environmentName) => store.listAliases(accountId, environmentName),
    listRevisions: (accountId, environmentName, aliasName) =>
      store.listRevisions(accountId, environmentName, aliasName),
    resolve: (ownerNickname, aliasName) => directory.resolve(ownerNickname, aliasName),
    all: () => directory.all(),
    close: unsubscribe,
  };
}

function unknownApp(aliasName: string): LannerError {
  return new LannerError(
    'app_not_found',
    `App "${aliasName.slice(0, 150)}" was not found in this account. \`fal apps list\` shows its apps.`,
  );
}

function unknownRevision(revisionId: string, environmentName: string | null): LannerError {
  const where = environmentName === null ? 'this account' : `environment "${environmentName}" of this account`;
  return new LannerError(
    'revision_not_found',
    `Revision "${revisionId.slice(0, 100)}" was not found in ${where}. \`fal apps list-rev\` shows the revisions.`,
  );
}

function unknownEnvironment(environmentName: string): LannerError {
  return new LannerError(
    'not_found',
    `Environment "${environmentName.slice(0, 100)}" was not found in this account. Create it with \`fal environments create\`.`,
  );
}
