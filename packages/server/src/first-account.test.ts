import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '@lanner/protocol';
import { readCredentials, writeCredentials, type Credentials } from './config/credentials.ts';
import { ensureFirstAccount } from './first-account.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import { createStore, type Store } from './store.ts';

describe('the first account', () => {
  let folder: string;
  let store: Store;
  let warnings: string[];

  const open = (name: string): Promise<Store> =>
    createStore({
      databasePath: join(folder, name),
      secretsKeyPath: join(folder, `${name}.key`),
      blobsDir: join(folder, 'blobs'),
      clock: systemClock,
      changeFeed: createChangeFeed((error) => assert.fail(error as Error)),
      log: { info: () => undefined, error: (facts) => assert.fail(JSON.stringify(facts)) },
    });
  const ensure = (): Promise<Credentials> =>
    ensureFirstAccount({
      ...store,
      credentialsPath: join(folder, 'credentials'),
      nickname: 'ada',
      log: { warn: (_facts, message) => void warnings.push(message) },
    });
  const nicknameOf = async ({ key }: Credentials): Promise<string> => {
    const [keyId = '', keySecret = ''] = key.split(':');
    return (await store.authenticator.authenticate({ kind: 'key', keyId, keySecret })).nickname;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-first-'));
    store = await open('one.db');
    warnings = [];
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('is made once, with a key that works, and found again', async () => {
    const first = await ensure();
    assert.equal(first.account, 'ada');
    assert.equal(await nicknameOf(first), 'ada');
    assert.deepEqual(await ensure(), first);
    assert.deepEqual(readCredentials(join(folder, 'credentials')), first);
    assert.deepEqual([(await store.accounts.list()).length, warnings], [1, []]);
  });

  it('gets a new key when the file is gone, and when its key is not valid any more', async () => {
    const first = await ensure();
    await rm(join(folder, 'credentials'));
    const second = await ensure();
    assert.notEqual(second.key, first.key);
    assert.equal(await nicknameOf(first), 'ada');
    const [account] = await store.accounts.list();
    await store.keys.revoke(account!.accountId, second.key.split(':')[0]!);
    const third = await ensure();
    assert.equal(await nicknameOf(third), 'ada');
    assert.match(warnings[0] ?? '', /no longer valid/);
    writeCredentials(join(folder, 'credentials'), { account: 'ada', key: `${third.key}x` });
    assert.equal(await nicknameOf(await ensure()), 'ada');
  });

  it('is made anew beside the credentials of a database that is gone', async () => {
    const first = await ensure();
    await store.close();
    store = await open('two.db');
    const second = await ensure();
    assert.notEqual(second.key, first.key);
    assert.equal(await nicknameOf(second), 'ada');
  });
});
