import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError, systemClock, type ErrorCode } from '@lanner/protocol';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createChangeFeed, type Change, type ChangeFeed } from '../lib/change-feed.ts';
import type { Account, Accounts } from './accounts.ts';
import { createAccounts } from './create-accounts.ts';
import { createAuthenticator } from './create-authenticator.ts';
import { createKeys } from './create-keys.ts';
import type { KeyStore } from './key-store.ts';
import type { Keys, NewKey } from './keys.ts';
import { createSqliteAccountStore } from './sqlite-account-store.ts';
import { createSqliteKeyStore } from './sqlite-key-store.ts';

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isLannerError(error) && error.code === code && text.test(error.message);

describe('accounts, keys and authentication', () => {
  let database: Database;
  let changeFeed: ChangeFeed;
  let changes: Change[];
  let keyStore: KeyStore;
  let reads: number;
  let accounts: Accounts;
  let keys: Keys;
  let authenticator: ReturnType<typeof createAuthenticator>;
  let ada: Account;

  beforeEach(async () => {
    database = await openTemporaryDatabase();
    changeFeed = createChangeFeed((error) => assert.fail(error as Error));
    changes = [];
    changeFeed.subscribe((change) => changes.push(change));
    const sqliteKeys = createSqliteKeyStore(database);
    reads = 0;
    keyStore = {
      ...sqliteKeys,
      findWithOwner(keyId) {
        reads += 1;
        return sqliteKeys.findWithOwner(keyId);
      },
    };
    accounts = createAccounts({ store: createSqliteAccountStore(database), clock: systemClock });
    keys = createKeys({ store: keyStore, clock: systemClock, changeFeed });
    authenticator = createAuthenticator({ store: keyStore, changeFeed });
    ada = await accounts.create({ nickname: 'ada', fullName: 'Ada', isPersonal: true });
  });
  afterEach(async () => {
    authenticator.close();
    await database.close();
  });

  const authenticate = (key: NewKey) => authenticator.authenticate({ kind: 'key', ...key });

  describe('accounts', () => {
    it('are found by id and nickname', async () => {
      assert.deepEqual(await accounts.get(ada.accountId), ada);
      assert.deepEqual(await accounts.byNickname('ADA'), ada);
      assert.deepEqual(await accounts.list(), [ada]);
    });

    it('refuse a taken nickname and one that is no path segment', async () => {
      const create = (nickname: string) => accounts.create({ nickname, fullName: '', isPersonal: false });
      await assert.rejects(create('Ada'), hasCode('already_exists', /"Ada"/));
      for (const nickname of ['', 'a/b', '..', '-a', 'a b', 'ü', 'a'.repeat(64)]) {
        await assert.rejects(create(nickname), hasCode('invalid_argument'), nickname);
      }
      await assert.rejects(create('Workflows'), hasCode('invalid_argument', /reserved/));
    });
  });

  describe('keys', () => {
    it('tell who calls and what they may do', async () => {
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, 'laptop');
      assert.deepEqual(await authenticate(key), {
        accountId: ada.accountId,
        nickname: 'ada',
        keyId: key.keyId,
        permissions: new Set(['*']),
      });
      const small = await keys.create(ada.accountId, { permissions: ['serverless:apps:run'] }, '');
      assert.deepEqual((await authenticate(small)).permissions, new Set(['serverless:apps:run']));
    });

    it('have a long random secret that is nowhere in the database', async () => {
      const key = await keys.create(ada.accountId, { preset: 'API' }, 'laptop');
      assert.match(key.keySecret, /^[0-9a-f]{32,}$/);
      assert.notEqual(key.keySecret, (await keys.create(ada.accountId, { preset: 'API' }, '')).keySecret);
      const rows = await database.read((db) => db.all<Record<string, unknown>>('SELECT * FROM keys'));
      for (const value of rows.flatMap((row) => Object.values(row))) {
        const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
        assert.ok(!text.includes(key.keySecret));
      }
    });

    it('are listed without secret, and without those of runners', async () => {
      const key = await keys.create(ada.accountId, { preset: 'API' }, 'laptop');
      await keys.createRunnerKey(ada.accountId, 'runner-1');
      const listed = await keys.list(ada.accountId);
      assert.equal(listed.length, 1);
      assert.deepEqual(Object.keys(listed[0]!).toSorted(), [
        'accountId',
        'createdAtMs',
        'description',
        'keyId',
        'permissions',
        'preset',
      ]);
      assert.deepEqual([listed[0]!.keyId, listed[0]!.description, listed[0]!.preset], [key.keyId, 'laptop', 'API']);
      assert.ok(listed[0]!.permissions.includes('serverless:apps:run'));
    });

    it('refuse an unknown grant and a description without end, and store nothing', async () => {
      await assert.rejects(keys.create(ada.accountId, { preset: 'ROOT' }, ''), hasCode('invalid_argument', /ROOT/));
      await assert.rejects(
        keys.create(ada.accountId, { permissions: ['a:b:c'] }, ''),
        hasCode('invalid_argument', /a:b:c/),
      );
      await assert.rejects(
        keys.create(ada.accountId, { preset: 'FULL' }, 'x'.repeat(2_000)),
        hasCode('invalid_argument', /2000/),
      );
      assert.deepEqual(await keys.list(ada.accountId), []);
    });

    it('of other accounts are out of reach', async () => {
      const bob = await accounts.create({ nickname: 'bob', fullName: '', isPersonal: true });
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      assert.deepEqual(await keys.list(bob.accountId), []);
      await assert.rejects(keys.revoke(bob.accountId, key.keyId), hasCode('not_found'));
      await authenticate(key);
    });
  });

  describe('authentication', () => {
    it('answers wrong ids and wrong secrets with the same text', async () => {
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      const text = /^No user found for Key ID and Secret$/;
      await assert.rejects(authenticate({ ...key, keySecret: 'wrong' }), hasCode('unknown_key', text));
      await assert.rejects(authenticate({ ...key, keyId: 'wrong' }), hasCode('unknown_key', text));
      await authenticate(key);
      await assert.rejects(authenticate({ ...key, keySecret: `${key.keySecret}0` }), hasCode('unknown_key', text));
    });

    it('tells missing from malformed', async () => {
      await assert.rejects(authenticator.authenticate({ kind: 'none' }), hasCode('missing_credentials'));
      await assert.rejects(
        authenticator.authenticate({ kind: 'malformed', message: 'told' }),
        hasCode('malformed_credentials', /^told$/),
      );
    });

    it('lets a public call go without credentials, but not with wrong ones', async () => {
      assert.equal(await authenticator.authenticateOptional({ kind: 'none' }), null);
      await assert.rejects(
        authenticator.authenticateOptional({ kind: 'key', keyId: 'a', keySecret: 'b' }),
        hasCode('unknown_key'),
      );
      await assert.rejects(
        authenticator.authenticateOptional({ kind: 'malformed', message: 'x' }),
        hasCode('malformed_credentials'),
      );
    });

    it('takes a key as a Bearer token, and no other token', async () => {
      const key = await keys.create(ada.accountId, { preset: 'API' }, '');
      const principal = await authenticator.authenticate({ kind: 'bearer', token: `${key.keyId}:${key.keySecret}` });
      assert.equal(principal.keyId, key.keyId);
      await assert.rejects(authenticator.authenticate({ kind: 'bearer', token: 'eyJ.a.b' }), hasCode('unknown_key'));
    });

    it('reads a key from the store once', async () => {
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      for (let call = 0; call < 5; call += 1) await authenticate(key);
      assert.equal(reads, 1);
    });

    it('forgets a revoked key at once', async () => {
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      const other = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      await authenticate(key);
      await authenticate(other);
      await keys.revoke(ada.accountId, key.keyId);
      assert.deepEqual(changes, [{ type: 'key.revoked', keyId: key.keyId }]);
      await assert.rejects(authenticate(key), hasCode('unknown_key'));
      await assert.rejects(keys.revoke(ada.accountId, key.keyId), hasCode('not_found'));
      await authenticate(other);
      assert.equal(reads, 3, 'the other key stayed in memory');
    });

    it('does not remember a key that was revoked while it was being read', async () => {
      const key = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      const answer = await keyStore.findWithOwner(key.keyId);
      const gate = Promise.withResolvers<void>();
      const slow = createAuthenticator({
        changeFeed,
        store: {
          ...keyStore,
          async findWithOwner(keyId) {
            await gate.promise;
            // The first answer was read before the revocation, later ones after it.
            return (await keyStore.findWithOwner(keyId)) ?? (asked++ === 0 ? answer : null);
          },
        },
      });
      let asked = 0;
      const first = slow.authenticate({ kind: 'key', ...key });
      await keys.revoke(ada.accountId, key.keyId);
      gate.resolve();
      await first;
      await assert.rejects(slow.authenticate({ kind: 'key', ...key }), hasCode('unknown_key'));
      slow.close();
    });
  });

  describe('keys of runners', () => {
    it('have the API preset and end with their runner', async () => {
      const key = await keys.createRunnerKey(ada.accountId, 'runner-1');
      const principal = await authenticate(key);
      assert.ok(principal.permissions.has('serverless:apps:run'));
      assert.ok(!principal.permissions.has('serverless:apps:deploy') && !principal.permissions.has('*'));
      await keys.revokeRunnerKey('runner-1');
      await assert.rejects(authenticate(key), hasCode('unknown_key'));
      assert.deepEqual(changes, [{ type: 'key.revoked', keyId: key.keyId }]);
      await keys.revokeRunnerKey('runner-1');
    });

    it('are kept for the runners that were adopted and no others', async () => {
      const person = await keys.create(ada.accountId, { preset: 'FULL' }, '');
      const live = await keys.createRunnerKey(ada.accountId, 'live');
      const dead = await keys.createRunnerKey(ada.accountId, 'dead');
      await authenticate(dead);
      await keys.keepOnlyRunnerKeys(new Set(['live']));
      await authenticate(person);
      await authenticate(live);
      await assert.rejects(authenticate(dead), hasCode('unknown_key'));
    });
  });
});
