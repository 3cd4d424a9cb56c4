import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from '../auth/account-store.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { NewObject, ObjectPart, ObjectStore } from './object-store.ts';

/** The stores of one engine over one fresh database. */
export interface FileStores {
  accounts: AccountStore;
  objects: ObjectStore;
  keyValues: KeyValueStore;
  close(): Promise<void>;
}

/** What every engine's stores of files have to do. Call it in the engine's test file. */
export function describeFileStores(engine: string, open: () => Promise<FileStores>): void {
  describe(`file stores on ${engine}`, () => {
    let stores: FileStores;
    let objects: ObjectStore;
    let accountId: string;
    beforeEach(async () => {
      stores = await open();
      objects = stores.objects;
      accountId = randomUUID();
      await stores.accounts.insert({ accountId, nickname: 'ada', fullName: 'Ada', isPersonal: true, createdAtMs: 1 });
    });
    afterEach(() => stores.close());

    const anObject = (overrides: Partial<NewObject> = {}): NewObject => ({
      objectId: randomBytes(16).toString('base64url'),
      accountId,
      fileName: 'ä.png',
      contentType: 'image/png',
      acl: { default: 'hide', rules: [{ user: 'bob', decision: 'allow' }] },
      lifetimeMs: null,
      createdAtMs: 5,
      expiresAtMs: 100,
      ...overrides,
    });
    const aPart = (partNumber: number): ObjectPart => ({
      partNumber,
      blob: randomBytes(32).toString('hex'),
      sizeBytes: 3,
      etag: 'e',
    });
    const content = { sizeBytes: 3, etag: 'whole', storedAtMs: 7 };
    const leftovers = async (): Promise<string[]> => (await objects.listLeftovers(0, 100)).map(({ blob }) => blob);

    it('give back an object as it was put in, open and stored', async () => {
      const object = anObject();
      const number = await objects.insert(object);
      assert.deepEqual(await objects.find(object.objectId), { ...object, number, content: null });
      assert.equal(await objects.countOpen(accountId), 1);
      const part = aPart(1);
      assert.equal(await objects.putWhole(number, part, content, null), true);
      assert.deepEqual(await objects.find(object.objectId), { ...object, number, content, expiresAtMs: null });
      assert.deepEqual(await objects.parts(number), [part]);
      assert.equal(await objects.countOpen(accountId), 0);
      assert.equal(await objects.find('other'), null);
    });

    it('know a blob as left over from before its first byte until it belongs to an object, and after', async () => {
      const part = aPart(1);
      await objects.noteLeftover(part.blob);
      await objects.noteLeftover(part.blob);
      assert.deepEqual(await leftovers(), [part.blob]);
      const number = await objects.insertStored(anObject(), content, part);
      assert.deepEqual(await leftovers(), []);
      await objects.remove(number);
      await objects.remove(number);
      assert.deepEqual(await leftovers(), [part.blob]);
      await objects.forgetLeftovers([part.blob]);
      assert.deepEqual(await leftovers(), []);
    });

    it('replace parts of an open object, and keep the named ones when it is complete', async () => {
      const number = await objects.insert(anObject());
      const [first, second, third, again] = [aPart(1), aPart(2), aPart(3), aPart(2)];
      for (const part of [second, first, third, again]) assert.equal(await objects.putPart(number, part, 200), true);
      assert.deepEqual(await objects.parts(number), [first, again, third]);
      assert.deepEqual(await leftovers(), [second.blob]);
      assert.equal(await objects.complete(number, [1, 2], content, 300), true);
      assert.deepEqual(await objects.parts(number), [first, again]);
      assert.deepEqual((await leftovers()).sort(), [second.blob, third.blob].sort());
    });

    it('change a stored object no more', async () => {
      const object = anObject();
      const part = aPart(1);
      const number = await objects.insertStored(object, content, part);
      assert.equal(await objects.putPart(number, aPart(2), 200), false);
      assert.equal(await objects.putWhole(number, aPart(1), { ...content, etag: 'x' }, null), false);
      assert.equal(await objects.complete(number, [1], { ...content, etag: 'x' }, null), false);
      assert.deepEqual(await objects.parts(number), [part]);
      assert.deepEqual((await objects.find(object.objectId))?.content, content);
    });

    it('list what has expired, the longest over first', async () => {
      const late = await objects.insert(anObject({ expiresAtMs: 20 }));
      const early = await objects.insert(anObject({ expiresAtMs: 10 }));
      await objects.insert(anObject({ expiresAtMs: 30 }));
      await objects.insert(anObject({ expiresAtMs: null }));
      assert.deepEqual(await objects.listExpired(20, 10), [early, late]);
      assert.deepEqual(await objects.listExpired(20, 1), [early]);
    });

    it('change the access list of an object, and keep settings of an account', async () => {
      const object = anObject();
      await objects.setAcl(await objects.insert(object), null);
      assert.equal((await objects.find(object.objectId))?.acl, null);
      assert.equal(await objects.settings(accountId), null);
      for (const settings of [
        { lifetimeMs: 1000, acl: { default: 'forbid' as const, rules: [] } },
        { lifetimeMs: null, acl: null },
      ]) {
        await objects.setSettings(accountId, settings);
        assert.deepEqual(await objects.settings(accountId), settings);
      }
    });

    it('keep texts by account, database and key, as long as they live', async () => {
      const { keyValues } = stores;
      const place = { accountId, databaseName: 'db', keyName: 'k' };
      await keyValues.set(place, 'one', 10);
      await keyValues.set(place, 'two', 20);
      assert.equal(await keyValues.get(place, 19), 'two');
      assert.equal(await keyValues.get(place, 20), null);
      assert.equal(await keyValues.get({ ...place, accountId: 'other' }, 1), null);
      assert.equal(await keyValues.removeExpired(19, 10), 0);
      assert.equal(await keyValues.removeExpired(20, 10), 1);
      await keyValues.remove(place);
      assert.equal(await keyValues.get(place, 1), null);
    });
  });
}
