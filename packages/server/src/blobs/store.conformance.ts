import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from '../auth/account-store.ts';
import type { AppFileStore, StoredAppFile } from './app-file-store.ts';

/** The stores of one engine over one fresh database. */
export interface BlobStores {
  accounts: AccountStore;
  appFiles: AppFileStore;
  /** A revision of an account whose code has these files. */
  addRevision(accountId: string, fileHashes: string[]): Promise<void>;
  close(): Promise<void>;
}

/** What every engine's store of app files has to do. Call it in the engine's test file. */
export function describeBlobStores(engine: string, open: () => Promise<BlobStores>): void {
  describe(`app file store on ${engine}`, () => {
    let stores: BlobStores;
    beforeEach(async () => {
      stores = await open();
    });
    afterEach(() => stores.close());

    const addAccount = async (nickname: string): Promise<string> => {
      const accountId = randomUUID();
      await stores.accounts.insert({ accountId, nickname, fullName: nickname, isPersonal: true, createdAtMs: 1 });
      return accountId;
    };

    it('gives back a file, and the same again after a second upload', async () => {
      const file = aFile(await addAccount('ada'));
      await stores.appFiles.put(file);
      await stores.appFiles.put({ ...file, createdAtMs: 99 });
      assert.deepEqual(await stores.appFiles.find(file.accountId, file.hash), file);
    });

    it('shows an account only what it has uploaded itself', async () => {
      const [ada, bob] = [await addAccount('ada'), await addAccount('bob')];
      const file = aFile(ada);
      await stores.appFiles.put(file);
      assert.equal(await stores.appFiles.find(bob, file.hash), null);
      assert.deepEqual(await stores.appFiles.useKnown(bob, [file.hash], 5), new Set());
      await stores.appFiles.put({ ...file, accountId: bob });
      assert.deepEqual(await stores.appFiles.useKnown(bob, [file.hash], 5), new Set([file.hash]));
    });

    it('filters the known ones', async () => {
      const ada = await addAccount('ada');
      const [first, second] = [aFile(ada), aFile(ada)];
      for (const file of [first, second]) await stores.appFiles.put(file);
      const known = await stores.appFiles.useKnown(ada, [first.hash, 'ff'.repeat(32), second.hash], 5);
      assert.deepEqual(known, new Set([first.hash, second.hash]));
      assert.deepEqual(await stores.appFiles.useKnown(ada, [], 5), new Set());
    });

    it('forgets what was not used for long, and keeps what was asked for, sent again, or is needed by a revision', async () => {
      const [ada, bob] = [await addAccount('ada'), await addAccount('bob')];
      const [unused, asked, sentAgain, needed] = [aFile(ada), aFile(ada), aFile(ada), aFile(ada)];
      for (const file of [unused, asked, sentAgain, needed, { ...needed, accountId: bob }])
        await stores.appFiles.put(file);
      await stores.addRevision(ada, [needed.hash]);
      const laterMs = 24 * 60 * 60 * 1000;
      await stores.appFiles.useKnown(ada, [asked.hash], laterMs);
      await stores.appFiles.put({ ...sentAgain, createdAtMs: laterMs });
      assert.equal(await stores.appFiles.removeUnused(5, 10), 0);
      // One each: the unused one, and what another account's revision needs does not count.
      assert.equal(await stores.appFiles.removeUnused(laterMs, 1), 1);
      assert.equal(await stores.appFiles.removeUnused(laterMs, 10), 1);
      assert.equal(await stores.appFiles.find(ada, unused.hash), null);
      assert.equal(await stores.appFiles.find(bob, needed.hash), null);
      for (const file of [asked, sentAgain, needed]) assert.ok(await stores.appFiles.find(ada, file.hash));
    });

    it('does not write for each question about a file', async () => {
      const file = aFile(await addAccount('ada'));
      await stores.appFiles.put(file);
      await stores.appFiles.useKnown(file.accountId, [file.hash], file.createdAtMs + 1000);
      assert.equal(await stores.appFiles.removeUnused(file.createdAtMs + 1, 10), 1);
    });
  });
}

function aFile(accountId: string): StoredAppFile {
  return { accountId, hash: randomBytes(32).toString('hex'), mode: 0o100644, sizeBytes: 12, createdAtMs: 5 };
}
