import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from '../auth/account-store.ts';
import { aCodeSpec } from './app-builders.ts';
import type { AppStore } from './app-store.ts';
import { defaultScaleSettings, type Revision } from './app-types.ts';
import type { ResolvedApp } from './apps.ts';
import type { EnvironmentStore } from './environment-store.ts';
import type { SealedValues } from './sealed-values.ts';
import type { SecretStore } from './secret-store.ts';

/** The stores of one engine over one fresh database. */
export interface AppStores {
  accounts: AccountStore;
  apps: AppStore;
  environments: EnvironmentStore;
  secrets: SecretStore;
  sealed: SealedValues;
  close(): Promise<void>;
}

/** What every engine's stores of apps, environments and secrets have to do. Call it in the engine's test file. */
export function describeAppStores(engine: string, open: () => Promise<AppStores>): void {
  describe(`stores of apps, environments and secrets on ${engine}`, () => {
    let stores: AppStores;
    let ada: string;
    let bob: string;

    beforeEach(async () => {
      stores = await open();
      [ada, bob] = [await addAccount('ada'), await addAccount('bob')];
    });
    afterEach(() => stores.close());

    const addAccount = async (nickname: string): Promise<string> => {
      const accountId = randomUUID();
      await stores.accounts.insert({ accountId, nickname, fullName: nickname, isPersonal: true, createdAtMs: 1 });
      return accountId;
    };

    const addRevision = async (accountId: string, given: Partial<Revision> = {}): Promise<Revision> => {
      const revision = aRevision(accountId, given);
      assert.equal(await stores.apps.insertRevision(revision), true);
      return revision;
    };

    const point = async (
      revision: Revision,
      aliasName: string,
      given: { authMode?: 'public'; nowMs?: number } = {},
    ): Promise<ResolvedApp> => {
      const outcome = await stores.apps.pointAlias({
        accountId: revision.accountId,
        environmentName: revision.environmentName,
        aliasName,
        revisionId: revision.revisionId,
        authMode: given.authMode,
        nowMs: given.nowMs ?? 10,
        decideSettings: (current, wanted) => current ?? wanted,
      });
      assert.equal(outcome.kind, 'pointed');
      return (outcome as Extract<typeof outcome, { kind: 'pointed' }>).app;
    };

    describe('app store', () => {
      it('gives back a revision as it was inserted', async () => {
        const revision = await addRevision(ada, {
          aliasName: 'app',
          metadata: { openapi: { paths: {} }, message: 'ü' },
          sourceCode: 'print("hello")\n',
          privateLogs: true,
          skipRetryConditions: ['TIMEOUT'],
          retryConfig: '{"timeout": {"retries": 3}}',
        });
        assert.deepEqual(await stores.apps.findRevision(ada, revision.revisionId), revision);
        const bare = await addRevision(ada);
        assert.deepEqual(await stores.apps.findRevision(ada, bare.revisionId), bare);
      });

      it('takes no revision for an environment that the account lacks', async () => {
        await stores.environments.insert(bob, { name: 'staging', description: null, createdAtMs: 1 });
        assert.equal(await stores.apps.insertRevision(aRevision(ada, { environmentName: 'staging' })), false);
      });

      it('hides revisions from other accounts', async () => {
        const revision = await addRevision(ada);
        assert.equal(await stores.apps.findRevision(bob, revision.revisionId), null);
        assert.equal(await stores.apps.removeRevision(bob, revision.revisionId), 'unknown');
        assert.deepEqual(await stores.apps.listRevisions(bob, 'main', undefined), []);
        assert.notEqual(await stores.apps.findRevision(ada, revision.revisionId), null);
      });

      it('lists revisions newest first, by environment and name', async () => {
        await stores.environments.insert(ada, { name: 'staging', description: null, createdAtMs: 1 });
        const first = await addRevision(ada, { aliasName: 'one' });
        const second = await addRevision(ada, { aliasName: 'two' });
        const third = await addRevision(ada, { aliasName: 'one' });
        await addRevision(ada, { environmentName: 'staging', aliasName: 'one--staging' });
        const ids = async (aliasName: string | undefined): Promise<string[]> =>
          (await stores.apps.listRevisions(ada, 'main', aliasName)).map((revision) => revision.revisionId);
        assert.deepEqual(await ids(undefined), [third.revisionId, second.revisionId, first.revisionId]);
        assert.deepEqual(await ids('one'), [third.revisionId, first.revisionId]);
        assert.deepEqual(await ids('none'), []);
      });

      it('creates an alias that is private unless told otherwise', async () => {
        const revision = await addRevision(ada);
        const app = await point(revision, 'app');
        assert.deepEqual(app, {
          alias: {
            aliasId: `${ada}/app`,
            accountId: ada,
            environmentName: 'main',
            aliasName: 'app',
            revisionId: revision.revisionId,
            authMode: 'private',
            settings: revision.settings,
            createdAtMs: 10,
            updatedAtMs: 10,
          },
          revision,
          ownerNickname: 'ada',
        });
        assert.deepEqual(await stores.apps.findAlias(ada, 'app'), app.alias);
        assert.deepEqual(await stores.apps.findApp(ada, 'app'), app);
        assert.equal((await point(revision, 'open', { authMode: 'public' })).alias.authMode, 'public');
      });

      it('moves an alias, keeping its birth and its auth mode', async () => {
        const [first, second] = [await addRevision(ada), await addRevision(ada)];
        await point(first, 'app', { authMode: 'public', nowMs: 10 });
        const { alias, revision } = await point(second, 'app', { nowMs: 20 });
        assert.equal(revision.revisionId, second.revisionId);
        assert.deepEqual([alias.authMode, alias.createdAtMs, alias.updatedAtMs], ['public', 10, 20]);
        assert.equal((await stores.apps.listAliases(ada, 'main')).length, 1);
      });

      it('tells the settings decision what is there', async () => {
        const [first, second] = [
          await addRevision(ada, { settings: { ...defaultScaleSettings, maxConcurrency: 5 } }),
          await addRevision(ada, { settings: { ...defaultScaleSettings, maxConcurrency: 7 } }),
        ];
        const seen: unknown[] = [];
        for (const revision of [first, second]) {
          await stores.apps.pointAlias({
            accountId: ada,
            environmentName: 'main',
            aliasName: 'app',
            revisionId: revision.revisionId,
            authMode: undefined,
            nowMs: 1,
            decideSettings(current, wanted) {
              seen.push([current?.maxConcurrency, wanted.maxConcurrency]);
              return { ...wanted, maxConcurrency: 6 };
            },
          });
        }
        assert.deepEqual(seen, [
          [undefined, 5],
          [6, 7],
        ]);
      });

      it('points no alias at what the account or the environment lacks', async () => {
        await stores.environments.insert(ada, { name: 'staging', description: null, createdAtMs: 1 });
        const revision = await addRevision(ada);
        const attempt = async (accountId: string, environmentName: string, revisionId: string): Promise<string> =>
          (
            await stores.apps.pointAlias({
              accountId,
              environmentName,
              aliasName: 'app',
              revisionId,
              authMode: undefined,
              nowMs: 1,
              decideSettings: (_current, wanted) => wanted,
            })
          ).kind;
        assert.equal(await attempt(bob, 'main', revision.revisionId), 'unknown_revision');
        assert.equal(await attempt(ada, 'main', randomUUID()), 'unknown_revision');
        assert.equal(await attempt(ada, 'staging', revision.revisionId), 'unknown_revision');
        assert.equal(await attempt(ada, 'nowhere', revision.revisionId), 'unknown_environment');
        assert.deepEqual(await stores.apps.listApps(), []);
      });

      it('changes settings by what is there, and by nothing when the decision throws', async () => {
        const revision = await addRevision(ada);
        await point(revision, 'app');
        const changed = await stores.apps.updateAliasSettings({
          accountId: ada,
          aliasName: 'app',
          nowMs: 20,
          decideSettings: (current) => ({ ...current, maxConcurrency: current.maxConcurrency + 3 }),
        });
        assert.equal(changed?.alias.settings.maxConcurrency, 5);
        assert.equal(changed.alias.updatedAtMs, 20);
        await assert.rejects(
          stores.apps.updateAliasSettings({
            accountId: ada,
            aliasName: 'app',
            nowMs: 30,
            decideSettings() {
              throw new RangeError('refused');
            },
          }),
          RangeError,
        );
        assert.deepEqual(await stores.apps.findAlias(ada, 'app'), changed.alias);
      });

      it('loses no change of settings when many come at once', async () => {
        await point(await addRevision(ada), 'app');
        await Promise.all(
          Array.from({ length: 20 }, () =>
            stores.apps.updateAliasSettings({
              accountId: ada,
              aliasName: 'app',
              nowMs: 1,
              decideSettings: (current) => ({ ...current, maxConcurrency: current.maxConcurrency + 1 }),
            }),
          ),
        );
        assert.equal((await stores.apps.findAlias(ada, 'app'))?.settings.maxConcurrency, 22);
      });

      it('keeps the aliases of two accounts apart', async () => {
        const [ofAda, ofBob] = [await addRevision(ada), await addRevision(bob)];
        await point(ofAda, 'app');
        assert.equal(await stores.apps.findAlias(bob, 'app'), null);
        assert.equal(await stores.apps.findApp(bob, 'app'), null);
        assert.equal(await stores.apps.removeAlias(bob, 'app'), null);
        assert.equal(
          await stores.apps.updateAliasSettings({
            accountId: bob,
            aliasName: 'app',
            nowMs: 1,
            decideSettings: (current) => current,
          }),
          null,
        );
        assert.deepEqual(await stores.apps.listAliases(bob, 'main'), []);
        await point(ofBob, 'app');
        assert.equal((await stores.apps.findAlias(ada, 'app'))?.revisionId, ofAda.revisionId);
        assert.equal((await stores.apps.findAlias(bob, 'app'))?.revisionId, ofBob.revisionId);
      });

      it('removes an alias once and says where it pointed', async () => {
        const revision = await addRevision(ada);
        await point(revision, 'app');
        assert.deepEqual(await stores.apps.removeAlias(ada, 'app'), { revisionId: revision.revisionId });
        assert.equal(await stores.apps.removeAlias(ada, 'app'), null);
        assert.notEqual(await stores.apps.findRevision(ada, revision.revisionId), null);
      });

      it('removes a revision only once nothing points to it', async () => {
        const revision = await addRevision(ada);
        await point(revision, 'app');
        assert.equal(await stores.apps.removeRevision(ada, revision.revisionId), 'in_use');
        await stores.apps.removeAlias(ada, 'app');
        assert.equal(await stores.apps.removeRevision(ada, revision.revisionId), 'removed');
        assert.equal(await stores.apps.removeRevision(ada, revision.revisionId), 'unknown');
      });

      it('lists every app of every account', async () => {
        await point(await addRevision(ada), 'zebra');
        await point(await addRevision(bob), 'app');
        const names = (await stores.apps.listApps()).map((app) => `${app.ownerNickname}/${app.alias.aliasName}`);
        assert.deepEqual(names.toSorted(), ['ada/zebra', 'bob/app']);
        assert.deepEqual(
          (await stores.apps.listAliases(ada, 'main')).map((alias) => alias.aliasName),
          ['zebra'],
        );
      });
    });

    describe('environment store', () => {
      it('has main for every account, first', async () => {
        await stores.environments.insert(ada, { name: 'a-first', description: 'text', createdAtMs: 5 });
        assert.deepEqual(await stores.environments.list(ada), [
          { name: 'main', description: null, isDefault: true, createdAtMs: 1 },
          { name: 'a-first', description: 'text', isDefault: false, createdAtMs: 5 },
        ]);
        assert.deepEqual(
          (await stores.environments.list(bob)).map((environment) => environment.name),
          ['main'],
        );
      });

      it('takes a name once per account', async () => {
        const staging = { name: 'staging', description: null, createdAtMs: 5 };
        assert.equal(await stores.environments.insert(ada, staging), true);
        assert.equal(await stores.environments.insert(ada, staging), false);
        assert.equal(await stores.environments.insert(bob, staging), true);
      });

      it('takes its aliases, revisions and secrets with it, and nobody else’s', async () => {
        for (const accountId of [ada, bob]) {
          await stores.environments.insert(accountId, { name: 'staging', description: null, createdAtMs: 5 });
        }
        const gone = await addRevision(ada, { environmentName: 'staging' });
        await point(gone, 'app--staging');
        await putSecret(ada, 'staging', 'GONE');
        const kept = await addRevision(ada);
        await point(kept, 'app');
        await putSecret(ada, 'main', 'KEPT');
        const ofBob = await addRevision(bob, { environmentName: 'staging' });
        await point(ofBob, 'app--staging');

        assert.deepEqual(await stores.environments.remove(ada, 'staging'), {
          aliasNames: ['app--staging'],
          revisionIds: [gone.revisionId],
          secretNames: ['GONE'],
        });
        assert.equal(await stores.environments.remove(ada, 'staging'), null);
        assert.deepEqual(
          (await stores.environments.list(ada)).map((environment) => environment.name),
          ['main'],
        );
        assert.equal(await stores.apps.findRevision(ada, gone.revisionId), null);
        assert.notEqual(await stores.apps.findApp(ada, 'app'), null);
        assert.equal((await stores.secrets.list(ada, 'main')).length, 1);
        assert.notEqual(await stores.apps.findApp(bob, 'app--staging'), null);
      });
    });

    const putSecret = (
      accountId: string,
      environmentName: string,
      name: string,
      given: { sealedValue?: Uint8Array; defaultExposed?: boolean; createdAtMs?: number } = {},
    ): Promise<boolean> =>
      stores.secrets.put(
        {
          accountId,
          environmentName,
          name,
          sealedValue: given.sealedValue ?? Buffer.from(name),
          defaultExposed: given.defaultExposed,
          createdAtMs: given.createdAtMs ?? 1,
        },
        2,
      );

    const sealedNames = async (accountId: string, environmentName: string, names: string[] | null): Promise<string[]> =>
      (await stores.secrets.findSealed(accountId, environmentName, names)).map((secret) => secret.name);

    describe('secret store', () => {
      it('replaces the value and keeps birth and exposure when none is given', async () => {
        await putSecret(ada, 'main', 'TOKEN', { defaultExposed: false, createdAtMs: 5 });
        await putSecret(ada, 'main', 'TOKEN', { sealedValue: Buffer.from('new'), createdAtMs: 9 });
        assert.deepEqual(await stores.secrets.list(ada, 'main'), [
          { name: 'TOKEN', createdAtMs: 5, environmentName: 'main', defaultExposed: false },
        ]);
        const [sealed] = await stores.secrets.findSealed(ada, 'main', ['TOKEN']);
        assert.equal(Buffer.from(sealed!.sealedValue).toString(), 'new');
        await putSecret(ada, 'main', 'TOKEN', { defaultExposed: true });
        assert.equal((await stores.secrets.list(ada, 'main'))[0]!.defaultExposed, true);
      });

      it('lists names by name, of one account and environment, without values', async () => {
        await stores.environments.insert(ada, { name: 'staging', description: null, createdAtMs: 1 });
        for (const name of ['B', 'A']) await putSecret(ada, 'main', name);
        await putSecret(ada, 'staging', 'C');
        await putSecret(bob, 'main', 'D');
        const listed = await stores.secrets.list(ada, 'main');
        assert.deepEqual(
          listed.map((secret) => secret.name),
          ['A', 'B'],
        );
        assert.deepEqual(Object.keys(listed[0]!).toSorted(), [
          'createdAtMs',
          'defaultExposed',
          'environmentName',
          'name',
        ]);
      });

      it('finds what is exposed by default, or exactly what is named', async () => {
        await putSecret(ada, 'main', 'OPEN', { defaultExposed: true });
        await putSecret(ada, 'main', 'HIDDEN', { defaultExposed: false });
        await putSecret(ada, 'main', 'UNSET');
        await putSecret(bob, 'main', 'OTHER');
        assert.deepEqual(await sealedNames(ada, 'main', null), ['OPEN', 'UNSET']);
        assert.deepEqual(await sealedNames(ada, 'main', ['HIDDEN', 'OTHER', 'FAL_KEY']), ['HIDDEN']);
        assert.deepEqual(await sealedNames(ada, 'main', []), []);
      });

      it('takes no secret for an environment that the account lacks', async () => {
        assert.equal(await putSecret(ada, 'nowhere', 'TOKEN'), false);
      });

      it('removes a secret once, and only for its account', async () => {
        await putSecret(ada, 'main', 'TOKEN');
        assert.equal(await stores.secrets.remove(bob, 'main', 'TOKEN'), false);
        assert.equal(await stores.secrets.remove(ada, 'main', 'TOKEN'), true);
        assert.equal(await stores.secrets.remove(ada, 'main', 'TOKEN'), false);
      });

      it('shows sealed values with their places, and replaces all of them or none', async () => {
        assert.equal(await stores.sealed.findAny(), null);
        assert.equal(await stores.sealed.findIrreplaceable(), null);
        await putSecret(ada, 'main', 'TOKEN');
        await putSecret(bob, 'main', 'OTHER');
        const places: string[] = [];
        const count = await stores.sealed.resealAll(({ place, sealed }) => {
          places.push(place.join('/'));
          return Buffer.concat([sealed, Buffer.from('+')]);
        });
        assert.equal(count, 2);
        assert.deepEqual(places.toSorted(), [`${ada}/main/TOKEN`, `${bob}/main/OTHER`].toSorted());
        const sealedOf = async (accountId: string): Promise<string | undefined> =>
          (await stores.secrets.findSealed(accountId, 'main', null)).map(({ sealedValue }) =>
            String(Buffer.from(sealedValue)),
          )[0];
        const [first, second] = [await sealedOf(ada), await sealedOf(bob)];
        assert.match(first ?? '', /\+$/);
        let seen = 0;
        const failing = stores.sealed.resealAll(() => {
          seen += 1;
          if (seen === 2) throw new RangeError('no');
          return new Uint8Array([1]);
        });
        await assert.rejects(failing, RangeError);
        assert.deepEqual([await sealedOf(ada), await sealedOf(bob)], [first, second]);
        assert.equal(String(Buffer.from((await stores.sealed.findIrreplaceable())!.sealed)).endsWith('+'), true);
      });
    });
  });
}

function aRevision(accountId: string, given: Partial<Revision> = {}): Revision {
  return {
    revisionId: randomUUID(),
    accountId,
    environmentName: 'main',
    aliasName: null,
    createdAtMs: 1_700_000_000_000,
    code: aCodeSpec(),
    settings: { ...defaultScaleSettings },
    metadata: null,
    sourceCode: null,
    privateLogs: false,
    skipRetryConditions: [],
    retryConfig: null,
    ...given,
  };
}
