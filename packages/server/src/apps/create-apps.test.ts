import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError, systemClock, type ErrorCode } from '@lanner/protocol';
import { createAccounts } from '../auth/create-accounts.ts';
import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createChangeFeed, type Change, type ChangeFeed } from '../lib/change-feed.ts';
import { aCodeSpec, aNewRevision } from './app-builders.ts';
import type { AppStore } from './app-store.ts';
import type { Alias } from './app-types.ts';
import type { NewRevision } from './apps.ts';
import { createApps } from './create-apps.ts';
import { createEnvironments } from './create-environments.ts';
import type { Environments } from './environments-and-secrets.ts';
import { createMachineTypes } from './machine-types.ts';
import { createSqliteAppStore } from './sqlite-app-store.ts';
import { createSqliteEnvironmentStore } from './sqlite-environment-store.ts';

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isLannerError(error) && error.code === code && text.test(error.message);

describe('apps', () => {
  let database: Database;
  let store: AppStore;
  let changeFeed: ChangeFeed;
  let changes: Change[];
  let environments: Environments;
  let apps: Awaited<ReturnType<typeof createApps>>;
  let ada: string;
  let bob: string;

  const open = (feed: ChangeFeed) =>
    createApps({
      store,
      changeFeed: feed,
      clock: systemClock,
      machineTypes: createMachineTypes(),
      onReloadError: (error) => assert.fail(error as Error),
    });

  beforeEach(async () => {
    database = await openTemporaryDatabase();
    changes = [];
    changeFeed = createChangeFeed((error) => assert.fail(error as Error));
    store = createSqliteAppStore(database);
    environments = createEnvironments({
      store: createSqliteEnvironmentStore(database),
      clock: systemClock,
      changeFeed,
    });
    apps = await open(changeFeed);
    changeFeed.subscribe((change) => changes.push(change));
    const accounts = createAccounts({ store: createSqliteAccountStore(database), clock: systemClock });
    ada = (await accounts.create({ nickname: 'Ada', fullName: '', isPersonal: true })).accountId;
    bob = (await accounts.create({ nickname: 'bob', fullName: '', isPersonal: true })).accountId;
  });
  afterEach(async () => {
    apps.close();
    await database.close();
  });

  const deploy = async (
    accountId: string,
    given: Partial<NewRevision> & { resetScale?: boolean } = {},
  ): Promise<Alias> => {
    const { resetScale = false, ...input } = given;
    const revision = await apps.addRevision(aNewRevision(accountId, input));
    return apps.pointAlias({
      accountId,
      environmentName: revision.environmentName,
      aliasName: revision.aliasName!,
      revisionId: revision.revisionId,
      authMode: undefined,
      resetScale,
    });
  };

  it('are called by owner in any case and name, as soon as they are deployed', async () => {
    const alias = await deploy(ada);
    const resolved = apps.resolve('ADA', 'app');
    assert.deepEqual(resolved?.alias, alias);
    assert.equal(resolved.ownerNickname, 'Ada');
    assert.equal(resolved.revision.revisionId, alias.revisionId);
    assert.deepEqual(changes, [{ type: 'alias.changed', aliasId: `${ada}/app`, accountId: ada, aliasName: 'app' }]);
    assert.equal(apps.resolve('ada', 'App'), null);
    assert.equal(apps.resolve('bob', 'app'), null);
    assert.deepEqual(apps.all(), [resolved]);
  });

  it('are all in memory after a restart', async () => {
    await deploy(ada);
    await deploy(bob, { aliasName: 'other' });
    const restarted = await open(createChangeFeed(() => undefined));
    assert.deepEqual(restarted.all(), apps.all());
    assert.deepEqual(restarted.resolve('bob', 'other'), apps.resolve('bob', 'other'));
    restarted.close();
  });

  it('keep what was scaled over a deploy, and take multiplexing from the code', async () => {
    await deploy(ada, { settings: { maxConcurrency: 3, maxMultiplexing: 2 } });
    await apps.updateSettings(ada, 'app', { maxConcurrency: 8, maxMultiplexing: 5 });
    const kept = await deploy(ada, { settings: { maxConcurrency: 4, maxMultiplexing: 6 } });
    assert.deepEqual([kept.settings.maxConcurrency, kept.settings.maxMultiplexing], [8, 6]);
    const reset = await deploy(ada, { settings: { maxConcurrency: 4, maxMultiplexing: 6 }, resetScale: true });
    assert.deepEqual([reset.settings.maxConcurrency, reset.settings.maxMultiplexing], [4, 6]);
    assert.deepEqual(apps.resolve('ada', 'app')?.alias, reset);
  });

  it('change one setting without touching the others', async () => {
    await deploy(ada, { settings: { keepAliveSeconds: 60 } });
    const alias = await apps.updateSettings(ada, 'app', { minConcurrency: 1 });
    assert.deepEqual([alias.settings.minConcurrency, alias.settings.keepAliveSeconds], [1, 60]);
    assert.equal(apps.resolve('ada', 'app')?.alias.settings.minConcurrency, 1);
  });

  it('refuse settings that make no sense together with what is there, and change nothing', async () => {
    const before = await deploy(ada);
    await assert.rejects(
      apps.updateSettings(ada, 'app', { minConcurrency: 3 }),
      hasCode('invalid_argument', /max_concurrency is 2/),
    );
    await assert.rejects(
      apps.updateSettings(ada, 'app', { machineTypes: ['HUGE'] }),
      hasCode('invalid_argument', /"HUGE"/),
    );
    assert.deepEqual(await apps.getAlias(ada, 'app'), before);
    assert.deepEqual(apps.resolve('ada', 'app')?.alias, before);
    assert.equal(changes.length, 1);
  });

  it('refuse revisions with bad limits, names or environments, and store nothing', async () => {
    await assert.rejects(deploy(ada, { settings: { machineTypes: ['HUGE'] } }), hasCode('invalid_argument', /"HUGE"/));
    await assert.rejects(
      deploy(ada, { code: aCodeSpec({ terminationGraceSeconds: 4_000 }) }),
      hasCode('invalid_argument', /4000/),
    );
    await assert.rejects(deploy(ada, { aliasName: 'My App' }), hasCode('invalid_argument', /"my-app"/));
    await assert.rejects(
      deploy(ada, { environmentName: 'staging', aliasName: 'app--staging' }),
      hasCode('not_found', /"staging"/),
    );
    assert.deepEqual(await apps.listRevisions(ada, 'main', undefined), []);
  });

  it('change their auth mode and keep their revision', async () => {
    const { revisionId } = await deploy(ada);
    const input = { accountId: ada, environmentName: 'main', aliasName: 'app', revisionId, resetScale: false };
    assert.equal((await apps.pointAlias({ ...input, authMode: 'public' })).authMode, 'public');
    const kept = await apps.pointAlias({ ...input, authMode: undefined });
    assert.deepEqual([kept.authMode, kept.revisionId], ['public', revisionId]);
  });

  it('point to no revision of another account, nor to an unknown one', async () => {
    const { revisionId } = await deploy(ada);
    const point = (accountId: string, revision: string) =>
      apps.pointAlias({
        accountId,
        environmentName: 'main',
        aliasName: 'app',
        revisionId: revision,
        authMode: 'public',
        resetScale: false,
      });
    await assert.rejects(point(bob, revisionId), hasCode('revision_not_found'));
    await assert.rejects(point(ada, randomUUID()), hasCode('revision_not_found'));
    assert.equal(apps.resolve('bob', 'app'), null);
  });

  it('are gone once deleted, and say where they pointed', async () => {
    const { revisionId } = await deploy(ada);
    changes.length = 0;
    await assert.rejects(apps.deleteAlias(bob, 'app'), hasCode('app_not_found'));
    assert.deepEqual(await apps.deleteAlias(ada, 'app'), { revisionId, aliasId: `${ada}/app` });
    assert.equal(apps.resolve('ada', 'app'), null);
    assert.deepEqual(changes, [{ type: 'alias.deleted', aliasId: `${ada}/app`, accountId: ada, aliasName: 'app' }]);
    await assert.rejects(apps.deleteAlias(ada, 'app'), hasCode('app_not_found', /"app"/));
    await assert.rejects(apps.updateSettings(ada, 'app', {}), hasCode('app_not_found'));
  });

  it('protect the revision they point to', async () => {
    const { revisionId } = await deploy(ada);
    await assert.rejects(apps.deleteRevision(ada, revisionId), hasCode('conflict'));
    await apps.deleteAlias(ada, 'app');
    await assert.rejects(apps.deleteRevision(bob, revisionId), hasCode('revision_not_found'));
    await apps.deleteRevision(ada, revisionId);
    assert.deepEqual(changes.at(-1), { type: 'revision.deleted', revisionId, accountId: ada });
    await assert.rejects(apps.deleteRevision(ada, revisionId), hasCode('revision_not_found'));
    assert.equal(await apps.getRevision(ada, revisionId), null);
  });

  it('go with their environment', async () => {
    await environments.create(ada, 'staging', null);
    await deploy(ada);
    const { revisionId } = await deploy(ada, { environmentName: 'staging', aliasName: 'app--staging' });
    assert.notEqual(apps.resolve('ada', 'app--staging'), null);
    changes.length = 0;
    await environments.delete(ada, 'staging');
    assert.equal(apps.resolve('ada', 'app--staging'), null);
    assert.notEqual(apps.resolve('ada', 'app'), null);
    assert.deepEqual(changes, [
      { type: 'alias.deleted', aliasId: `${ada}/app--staging`, accountId: ada, aliasName: 'app--staging' },
      { type: 'revision.deleted', revisionId, accountId: ada },
    ]);
  });

  it('follow the changes of another process', async () => {
    const feed = createChangeFeed((error) => assert.fail(error as Error));
    const replica = await open(feed);
    const { aliasId } = await deploy(ada);
    const change = { type: 'alias.changed', aliasId, accountId: ada, aliasName: 'app' } as const;
    assert.equal(replica.resolve('ada', 'app'), null);
    feed.publish(change);
    await eventually(() => replica.resolve('ada', 'app') !== null);
    await apps.updateSettings(ada, 'app', { maxConcurrency: 9 });
    feed.publish(change);
    await eventually(() => replica.resolve('ada', 'app')?.alias.settings.maxConcurrency === 9);
    await apps.deleteAlias(ada, 'app');
    feed.publish(change);
    await eventually(() => replica.resolve('ada', 'app') === null);
    replica.close();
  });

  it('are in memory before anybody hears of their change', async () => {
    const heard: unknown[] = [];
    changeFeed.subscribe((change) => {
      if (change.type === 'alias.changed')
        heard.push(apps.resolve('ada', change.aliasName)?.alias.settings.maxConcurrency);
    });
    await deploy(ada);
    await apps.updateSettings(ada, 'app', { maxConcurrency: 4 });
    assert.deepEqual(heard, [2, 4]);
  });
});

/** Waits for something that happens within a few turns of the event loop. */
async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn += 1)
    await new Promise((resolve) => void setImmediate(resolve));
  assert.ok(condition());
}
