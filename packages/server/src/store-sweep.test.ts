import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { blobRelativePath, systemClock } from '@lanner/protocol';
import { aCodeSpec, aNewRevision } from './apps/app-builders.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import { createVirtualClock, type VirtualClock } from './lib/virtual-clock.ts';
import { createStore, type Store } from './store.ts';

const dayMs = 24 * 60 * 60 * 1000;

describe('blobs that nobody needs', () => {
  let folder: string;
  let store: Store;
  let nowMs: number;
  let ada: string;
  let logged: object[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-sweep-'));
    nowMs = Date.now();
    logged = [];
    // Time as it is, except that a test can move it on and that pauses take none.
    await open({ ...systemClock, nowMs: () => nowMs, sleep: async () => undefined });
    ada = (await store.accounts.create({ nickname: 'ada', fullName: '', isPersonal: true })).accountId;
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const open = async (clock: typeof systemClock): Promise<void> => {
    store = await createStore({
      databasePath: join(folder, 'lanner.sqlite'),
      secretsKeyPath: join(folder, 'secrets.key'),
      blobsDir: join(folder, 'blobs'),
      clock,
      changeFeed: createChangeFeed((error) => assert.fail(error as Error)),
      log: { info: (facts) => void logged.push(facts), error: (facts) => assert.fail(JSON.stringify(facts)) },
    });
  };

  const makeOld = (name: string): Promise<void> => utimes(join(folder, 'blobs', blobRelativePath(name)), 1_000, 1_000);
  const anOldBlob = async (): Promise<string> => {
    const name = await store.blobs.putContent(randomBytes(20));
    await makeOld(name);
    return name;
  };
  const upload = async (content: string): Promise<string> => {
    const mode = 0o100644;
    const bytes = Buffer.from(content);
    const hash = createHash('sha256').update(bytes).update(String(mode)).digest('hex');
    const metadata = { mode: String(mode), hash };
    const { uploadId } = await store.appFiles.initiate(ada, hash, metadata);
    const { etag } = await store.appFiles.putPart(ada, hash, uploadId, 1, Readable.from([bytes]));
    await store.appFiles.complete(ada, hash, uploadId, [{ partNumber: 1, etag }], metadata);
    await makeOld(hash);
    return hash;
  };

  it('are removed when they are a day old: of crashed runs, of submits cut off, of deleted revisions', async () => {
    const [callable, setup, orphan] = [await anOldBlob(), await anOldBlob(), await anOldBlob()];
    const young = await store.blobs.putContent(randomBytes(20));
    const file = await upload('print(1)');
    const { revisionId } = await store.apps.addRevision(
      aNewRevision(ada, {
        code: aCodeSpec({
          callable: {
            kind: 'serialized',
            method: 'cloudpickle',
            blob: callable,
            setup: { method: 'dill', blob: setup },
          },
          files: [
            { hash: file, relativePath: 'a.py' },
            { hash: file, relativePath: 'b.py' },
          ],
        }),
      }),
    );
    await store.blobSweep.run();
    assert.equal(await store.blobs.has(orphan), false);
    for (const name of [callable, setup, file, young]) assert.equal(await store.blobs.has(name), true);
    assert.deepEqual(logged, [{ blobs: 1, appFiles: 0 }]);

    await store.apps.deleteRevision(ada, revisionId);
    await store.blobSweep.run();
    for (const name of [callable, setup]) assert.equal(await store.blobs.has(name), false);
    // An app file is kept for the next deploy.
    assert.deepEqual(await store.appFiles.missing(ada, [file]), []);
    nowMs += 31 * dayMs;
    await store.blobSweep.run();
    assert.equal(await store.blobs.has(file), false);
    assert.deepEqual(await store.appFiles.missing(ada, [file]), [file]);
  });

  it('stay while a queued request, a result or an uploaded file needs them', async () => {
    const [input, part, leftover] = [await anOldBlob(), await anOldBlob(), await anOldBlob()];
    await store.close();
    const { openDatabase } = await import('./db/database.ts');
    const database = openDatabase({ path: join(folder, 'lanner.sqlite'), clock: systemClock });
    await database.write((db) => {
      db.run(
        `INSERT INTO queue_inputs (number, method, path, headers, body_blob, body_bytes) VALUES (1, 'POST', '/', '[]', ?, 20)`,
        input,
      );
      db.run(
        `INSERT INTO objects (number, object_id, account_id, file_name, content_type, state, created_at_ms)
         VALUES (1, 'o', ?, 'f', 'text/plain', 'stored', 1)`,
        ada,
      );
      db.run(`INSERT INTO object_parts VALUES (1, 1, ?, 20, 'e')`, part);
      db.run('INSERT INTO object_blob_leftovers (blob) VALUES (?)', leftover);
    });
    await database.close();
    await open({ ...systemClock, sleep: async () => undefined });
    await store.blobSweep.run();
    for (const name of [input, part, leftover]) assert.equal(await store.blobs.has(name), true);
  });

  it('that are stored again while they are being looked at stay', async () => {
    const content = randomBytes(20);
    const name = await store.blobs.putContent(content);
    await makeOld(name);
    for (let count = 0; count < 50; count += 1) {
      await makeOld(name);
      const sweeping = store.blobSweep.run();
      const revision = store.blobs.putContent(content).then((blob) =>
        store.apps.addRevision(
          aNewRevision(ada, {
            code: aCodeSpec({ callable: { kind: 'serialized', method: 'cloudpickle', blob }, files: [] }),
          }),
        ),
      );
      await Promise.all([sweeping, revision]);
      assert.equal(await store.blobs.has(name), true);
      await store.apps.deleteRevision(ada, (await revision).revisionId);
    }
  });

  it('are looked for soon after the start and then every hour, and not after the end', async () => {
    await store.close();
    const clock: VirtualClock = createVirtualClock(nowMs);
    await open(clock);
    const settled = async (): Promise<string[]> => {
      // Files are read in other threads, which virtual time does not wait for.
      for (let count = 0; count < 20; count += 1) {
        await clock.advance(20);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return readdir(join(folder, 'blobs')).then((names) => names.filter((each) => each.length === 2));
    };
    const first = await anOldBlob();
    store.blobSweep.start();
    await clock.advance(15_000);
    await settled();
    assert.equal(await store.blobs.has(first), false);
    const second = await anOldBlob();
    await clock.advance(60 * 60 * 1000);
    await settled();
    assert.equal(await store.blobs.has(second), false);
    await store.close();
    assert.equal(clock.pendingTimers, 0);
  });
});
