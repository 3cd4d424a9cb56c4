import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { isLannerError, systemClock } from '@lanner/protocol';
import { aNewRevision } from './apps/app-builders.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import { createStore, type Store } from './store.ts';

async function aDataFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-store-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function openStore(t: TestContext, folder: string): Promise<Store> {
  const store = await createStore({
    databasePath: join(folder, 'db', 'lanner.sqlite'),
    secretsKeyPath: join(folder, 'secrets.key'),
    blobsDir: join(folder, 'blobs'),
    clock: systemClock,
    changeFeed: createChangeFeed((error) => assert.fail(error as Error)),
    log: { info: () => undefined, error: (facts) => assert.fail(JSON.stringify(facts)) },
  });
  t.after(() => store.close());
  return store;
}

describe('the store', () => {
  it('makes everything at first start and has it at the second', async (t) => {
    const folder = await aDataFolder(t);
    const first = await openStore(t, folder);
    const account = await first.accounts.create({ nickname: 'ada', fullName: 'Ada', isPersonal: true });
    const key = await first.keys.create(account.accountId, { preset: 'FULL' }, 'laptop');
    const hash = await first.blobs.putContent(Buffer.from('code'));
    await first.close();
    await first.close();

    const second = await openStore(t, folder);
    assert.deepEqual(await second.accounts.list(), [account]);
    assert.equal((await second.authenticator.authenticate({ kind: 'key', ...key })).nickname, 'ada');
    assert.equal(await second.blobs.has(hash), true);
  });

  it('has every deploy, key, secret and scale that was acknowledged before kill -9', async (t) => {
    const folder = await aDataFolder(t);
    const source = `
      import { systemClock } from '@lanner/protocol';
      import { writeSync } from 'node:fs';
      import { join } from 'node:path';
      import { aNewRevision } from ${JSON.stringify(new URL('./apps/app-builders.ts', import.meta.url).href)};
      import { createChangeFeed } from ${JSON.stringify(new URL('./lib/change-feed.ts', import.meta.url).href)};
      import { createStore } from ${JSON.stringify(new URL('./store.ts', import.meta.url).href)};
      const folder = process.argv[1];
      const store = await createStore({
        databasePath: join(folder, 'db', 'lanner.sqlite'),
        secretsKeyPath: join(folder, 'secrets.key'),
        blobsDir: join(folder, 'blobs'),
        clock: systemClock,
        changeFeed: createChangeFeed(console.error),
        log: console,
      });
      const { accountId } = await store.accounts.create({ nickname: 'ada', fullName: '', isPersonal: true });
      const tell = (fact) => writeSync(1, JSON.stringify(fact) + '\\n');
      for (let index = 0; ; index += 1) {
        await Promise.all([
          store.keys.create(accountId, { preset: 'API' }, '').then((key) => tell({ key })),
          store.secrets.set(accountId, 'main', 'SECRET_' + index, 'value ' + index, true).then(() => tell({ secret: index })),
          (async () => {
            const aliasName = 'app-' + index;
            const { revisionId } = await store.apps.addRevision(aNewRevision(accountId, { aliasName }));
            await store.apps.pointAlias({ accountId, environmentName: 'main', aliasName, revisionId, authMode: 'public', resetScale: false });
            tell({ deployed: aliasName, revisionId });
            await store.apps.updateSettings(accountId, aliasName, { maxConcurrency: 10 + index });
            tell({ scaled: aliasName, maxConcurrency: 10 + index });
          })(),
        ]);
      }
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source, folder], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const facts: Record<string, unknown>[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      facts.push(JSON.parse(line) as Record<string, unknown>);
      if (facts.length === 200) child.kill('SIGKILL');
    }
    assert.ok(facts.length >= 200, 'the child wrote until it was killed');

    const store = await openStore(t, folder);
    const account = await store.accounts.byNickname('ada');
    assert.ok(account);
    const secrets = await store.secrets.valuesForRunner(account.accountId, 'main', null);
    for (const fact of facts) {
      if (fact['key'] !== undefined)
        await store.authenticator.authenticate({
          kind: 'key',
          ...(fact['key'] as { keyId: string; keySecret: string }),
        });
      if (fact['secret'] !== undefined)
        assert.equal(secrets[`SECRET_${String(fact['secret'])}`], `value ${String(fact['secret'])}`);
      if (fact['deployed'] !== undefined)
        assert.equal(store.apps.resolve('ada', String(fact['deployed']))?.revision.revisionId, fact['revisionId']);
      if (fact['scaled'] !== undefined)
        assert.equal(
          store.apps.resolve('ada', String(fact['scaled']))?.alias.settings.maxConcurrency,
          fact['maxConcurrency'],
        );
    }
  });

  it('shows an account nothing of another', async (t) => {
    const store = await openStore(t, await aDataFolder(t));
    const ada = (await store.accounts.create({ nickname: 'ada', fullName: '', isPersonal: true })).accountId;
    const bob = (await store.accounts.create({ nickname: 'bob', fullName: '', isPersonal: true })).accountId;
    await store.environments.create(ada, 'staging', null);
    const { keyId } = await store.keys.create(ada, { preset: 'FULL' }, '');
    await store.secrets.set(ada, 'main', 'TOKEN', 'value', true);
    const { revisionId } = await store.apps.addRevision(aNewRevision(ada));
    await store.apps.pointAlias({
      accountId: ada,
      environmentName: 'main',
      aliasName: 'app',
      revisionId,
      authMode: 'public',
      resetScale: false,
    });

    assert.deepEqual(await store.keys.list(bob), []);
    assert.deepEqual(
      (await store.environments.list(bob)).map((environment) => environment.name),
      ['main'],
    );
    assert.deepEqual(await store.secrets.list(bob, 'main'), []);
    assert.deepEqual(await store.secrets.valuesForRunner(bob, 'main', ['TOKEN']), {});
    assert.deepEqual(await store.apps.listAliases(bob, 'main'), []);
    assert.deepEqual(await store.apps.listRevisions(bob, 'main', undefined), []);
    assert.equal(await store.apps.getAlias(bob, 'app'), null);
    assert.equal(await store.apps.getRevision(bob, revisionId), null);
    for (const attempt of [
      () => store.keys.revoke(bob, keyId),
      () => store.environments.delete(bob, 'staging'),
      () => store.secrets.unset(bob, 'main', 'TOKEN'),
      () => store.secrets.set(bob, 'staging', 'TOKEN', 'stolen', true),
      () => store.apps.updateSettings(bob, 'app', { maxConcurrency: 9 }),
      () => store.apps.deleteAlias(bob, 'app'),
      () => store.apps.deleteRevision(bob, revisionId),
      () =>
        store.apps.pointAlias({
          accountId: bob,
          environmentName: 'main',
          aliasName: 'app',
          revisionId,
          authMode: 'public',
          resetScale: false,
        }),
    ]) {
      await assert.rejects(attempt(), isLannerError);
    }
    assert.equal(store.apps.resolve('bob', 'app'), null);
    assert.equal(store.apps.resolve('ada', 'app')?.alias.settings.maxConcurrency, 2);
  });
});
