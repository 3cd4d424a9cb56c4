import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from './account-store.ts';
import type { Account } from './accounts.ts';
import type { KeyStore, StoredKey } from './key-store.ts';

/** The stores of one engine over one fresh database. */
export interface AuthStores {
  accounts: AccountStore;
  keys: KeyStore;
  close(): Promise<void>;
}

/** What every engine's account and key stores have to do. Call it in the engine's test file. */
export function describeAuthStores(engine: string, open: () => Promise<AuthStores>): void {
  describe(`auth stores on ${engine}`, () => {
    let stores: AuthStores;
    beforeEach(async () => {
      stores = await open();
    });
    afterEach(() => stores.close());

    const addAccount = async (nickname: string): Promise<Account> => {
      const account = await stores.accounts.insert(anAccount(nickname));
      assert.ok(account);
      return account;
    };

    describe('account store', () => {
      it('gives back what was inserted', async () => {
        const given = anAccount('ada');
        const stored = await stores.accounts.insert(given);
        assert.deepEqual(stored, { ...given, ordinal: 1 });
        assert.deepEqual(await stores.accounts.find(given.accountId), stored);
      });

      it('numbers accounts one after the other', async () => {
        const ordinals = [await addAccount('a'), await addAccount('b'), await addAccount('c')].map(
          (account) => account.ordinal,
        );
        assert.deepEqual(ordinals, [1, 2, 3]);
      });

      it('refuses a nickname that differs in case alone, and adds nothing', async () => {
        await addAccount('Ada');
        assert.equal(await stores.accounts.insert(anAccount('aDA')), null);
        assert.equal((await stores.accounts.list()).length, 1);
      });

      it('lets one of two simultaneous accounts have a nickname', async () => {
        const outcomes = await Promise.all([
          stores.accounts.insert(anAccount('ada')),
          stores.accounts.insert(anAccount('ada')),
        ]);
        assert.equal(outcomes.filter((account) => account !== null).length, 1);
      });

      it('finds by nickname in any case', async () => {
        const account = await addAccount('Ada');
        assert.deepEqual(await stores.accounts.findByNickname('ADA'), account);
      });

      it('finds nothing for strangers', async () => {
        assert.equal(await stores.accounts.find(randomUUID()), null);
        assert.equal(await stores.accounts.findByNickname('nobody'), null);
        assert.deepEqual(await stores.accounts.list(), []);
      });
    });

    describe('key store', () => {
      it('gives back a key with its owner', async () => {
        const account = await addAccount('ada');
        const key = aKey(account.accountId, { preset: null, permissions: ['serverless:apps:read'] });
        await stores.keys.insert(key);
        const found = await stores.keys.findWithOwner(key.keyId);
        assert.ok(found);
        assert.equal(found.nickname, 'ada');
        assert.deepEqual(Buffer.from(found.secretHash), Buffer.from(key.secretHash));
        assert.deepEqual({ ...found, secretHash: key.secretHash }, { ...key, nickname: 'ada' });
      });

      it('refuses a key of no account', async () => {
        await assert.rejects(stores.keys.insert(aKey(randomUUID())));
      });

      it('lists the keys of people of one account, oldest first', async () => {
        const [ada, bob] = [await addAccount('ada'), await addAccount('bob')];
        const first = aKey(ada.accountId);
        const second = aKey(ada.accountId);
        for (const key of [first, second, aKey(ada.accountId, { runnerId: 'runner-1' }), aKey(bob.accountId)]) {
          await stores.keys.insert(key);
        }
        const listed = await stores.keys.list(ada.accountId);
        assert.deepEqual(
          listed.map((key) => key.keyId),
          [first.keyId, second.keyId],
        );
      });

      it('removes a key once, and only for its account', async () => {
        const [ada, bob] = [await addAccount('ada'), await addAccount('bob')];
        const key = aKey(ada.accountId);
        await stores.keys.insert(key);
        assert.equal(await stores.keys.remove(bob.accountId, key.keyId), false);
        assert.notEqual(await stores.keys.findWithOwner(key.keyId), null);
        assert.equal(await stores.keys.remove(ada.accountId, key.keyId), true);
        assert.equal(await stores.keys.remove(ada.accountId, key.keyId), false);
        assert.equal(await stores.keys.findWithOwner(key.keyId), null);
      });

      it('does not remove a runner’s key as if it were a person’s', async () => {
        const ada = await addAccount('ada');
        const key = aKey(ada.accountId, { runnerId: 'runner-1' });
        await stores.keys.insert(key);
        assert.equal(await stores.keys.remove(ada.accountId, key.keyId), false);
        assert.notEqual(await stores.keys.findWithOwner(key.keyId), null);
      });

      it('removes the keys of one runner', async () => {
        const ada = await addAccount('ada');
        const gone = aKey(ada.accountId, { runnerId: 'runner-1' });
        const kept = aKey(ada.accountId, { runnerId: 'runner-2' });
        for (const key of [gone, kept]) await stores.keys.insert(key);
        assert.deepEqual(await stores.keys.removeOfRunner('runner-1'), [gone.keyId]);
        assert.deepEqual(await stores.keys.removeOfRunner('runner-1'), []);
        assert.notEqual(await stores.keys.findWithOwner(kept.keyId), null);
      });

      it('keeps the keys of live runners and of people, and removes the rest', async () => {
        const ada = await addAccount('ada');
        const person = aKey(ada.accountId);
        const live = aKey(ada.accountId, { runnerId: 'live' });
        const dead = aKey(ada.accountId, { runnerId: 'dead' });
        for (const key of [person, live, dead]) await stores.keys.insert(key);
        assert.deepEqual(await stores.keys.removeOfOtherRunners(['live', 'never-seen']), [dead.keyId]);
        assert.notEqual(await stores.keys.findWithOwner(live.keyId), null);
        assert.notEqual(await stores.keys.findWithOwner(person.keyId), null);
        assert.deepEqual(await stores.keys.removeOfOtherRunners([]), [live.keyId]);
      });
    });
  });
}

function anAccount(nickname: string): Omit<Account, 'ordinal'> {
  return {
    accountId: randomUUID(),
    nickname,
    fullName: `${nickname} in full`,
    isPersonal: true,
    createdAtMs: 1_700_000_000_000,
  };
}

function aKey(accountId: string, given: Partial<StoredKey> = {}): StoredKey {
  return {
    keyId: randomUUID(),
    accountId,
    secretHash: randomBytes(32),
    description: 'a key',
    preset: 'FULL',
    permissions: ['*'],
    runnerId: null,
    createdAtMs: 1_700_000_000_000,
    ...given,
  };
}
