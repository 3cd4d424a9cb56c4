import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isLannerError, systemClock } from '@lanner/protocol';
import { dataDirLayout, ensureDataDir, type DataDir } from './config/data-dir.ts';
import { lockDataDir } from './config/lock.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import { rotateSecretsKeyOf } from './rotate-secrets-key.ts';
import { createStore, type Store } from './store.ts';

const secretCount = 300;

async function withStore<T>(dataDir: DataDir, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await createStore({
    databasePath: dataDir.database,
    secretsKeyPath: dataDir.secretsKey,
    blobsDir: dataDir.blobs,
    clock: systemClock,
    changeFeed: createChangeFeed((error) => assert.fail(error as Error)),
    log: { info: () => undefined, error: (facts) => assert.fail(JSON.stringify(facts)) },
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** A platform with secrets, and the webhook key it made at its start. */
async function aPlatform(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-rotation-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const dataDir = dataDirLayout(folder);
  ensureDataDir(dataDir);
  const facts = await withStore(dataDir, async (store) => {
    const { accountId } = await store.accounts.create({ nickname: 'ada', fullName: '', isPersonal: true });
    await Promise.all(
      Array.from({ length: secretCount }, (_, index) =>
        store.secrets.set(accountId, 'main', `S${index}`, `value ${index}`, undefined),
      ),
    );
    return { accountId, webhookKeys: store.webhookKeys.published() };
  });
  const assertWhole = (): Promise<void> =>
    withStore(dataDir, async (store) => {
      const values = await store.secrets.valuesForRunner(facts.accountId, 'main', null);
      assert.equal(Object.keys(values).length, secretCount);
      for (const [name, value] of Object.entries(values)) assert.equal(value, `value ${name.slice(1)}`);
      assert.deepEqual(store.webhookKeys.published(), facts.webhookKeys);
      store.webhookKeys.current();
    });
  return { dataDir, assertWhole, keyNow: () => readFile(dataDir.secretsKey, 'utf8') };
}

const keysIn = async (dataDir: DataDir): Promise<string[]> =>
  (await readdir(dataDir.root)).filter((name) => name.startsWith('secrets.key')).toSorted();

describe('rotating the secrets key', () => {
  it('seals everything with a new key and forgets the old one', async (t) => {
    const { dataDir, assertWhole, keyNow } = await aPlatform(t);
    const old = await keyNow();
    assert.equal(await rotateSecretsKeyOf(dataDir, systemClock), secretCount + 1);
    const key = await keyNow();
    assert.notEqual(key, old);
    assert.deepEqual(await keysIn(dataDir), ['secrets.key']);
    await assertWhole();
    await writeFile(dataDir.secretsKey, old);
    await assert.rejects(
      withStore(dataDir, async () => undefined),
      (error) => isLannerError(error) && error.code === 'config_invalid',
    );
  });

  it('waits for no server: while one runs it is refused', async (t) => {
    const { dataDir } = await aPlatform(t);
    const lock = lockDataDir(dataDir);
    t.after(() => lock.release());
    await assert.rejects(
      rotateSecretsKeyOf(dataDir, systemClock),
      (error) => isLannerError(error) && error.code === 'data_dir_locked',
    );
    assert.deepEqual(await keysIn(dataDir), ['secrets.key']);
  });

  it('that was cut off before the values were sealed is undone at the next start', async (t) => {
    const { dataDir, assertWhole, keyNow } = await aPlatform(t);
    const old = await keyNow();
    await writeFile(`${dataDir.secretsKey}.next`, `${Buffer.alloc(32, 9).toString('base64')}\n`);
    await assertWhole();
    assert.equal(await keyNow(), old);
    assert.deepEqual(await keysIn(dataDir), ['secrets.key']);
  });

  it('that was cut off after the values were sealed is ended at the next start', async (t) => {
    const { dataDir, assertWhole, keyNow } = await aPlatform(t);
    const old = await keyNow();
    await rotateSecretsKeyOf(dataDir, systemClock);
    const key = await keyNow();
    await writeFile(`${dataDir.secretsKey}.next`, key);
    await writeFile(dataDir.secretsKey, old);
    await assertWhole();
    assert.equal(await keyNow(), key);
    assert.deepEqual(await keysIn(dataDir), ['secrets.key']);
  });

  it('loses nothing when it is killed, whenever that is', async (t) => {
    const { dataDir, assertWhole } = await aPlatform(t);
    const script = `
      const { systemClock } = await import('@lanner/protocol');
      const { dataDirLayout } = await import(${JSON.stringify(import.meta.resolve('./config/data-dir.ts'))});
      const { rotateSecretsKeyOf } = await import(${JSON.stringify(import.meta.resolve('./rotate-secrets-key.ts'))});
      console.log('go');
      for (;;) await rotateSecretsKeyOf(dataDirLayout(${JSON.stringify(dataDir.root)}), systemClock);
    `;
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        cwd: import.meta.dirname,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 7 + round * 11));
      child.kill('SIGKILL');
      await once(child, 'exit');
      await assertWhole();
    }
  });
});
