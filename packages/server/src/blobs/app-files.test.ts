import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError, systemClock, type ErrorCode } from '@lanner/protocol';
import { createAccounts } from '../auth/create-accounts.ts';
import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import type { AppFiles } from './app-files.ts';
import type { Blobs } from './blobs.ts';
import { createAppFiles } from './create-app-files.ts';
import { openDiskBlobs } from './disk-blobs.ts';
import { createSqliteAppFileStore } from './sqlite-app-file-store.ts';
import { createUploadSessions, type UploadSessions } from './upload-sessions.ts';

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isLannerError(error) && error.code === code && text.test(error.message);

const partSizeBytes = 1_000;
const totalSizeBytes = 2_500;
const lifetimeMs = 60_000;

/** st_mode of an ordinary 0644 file. */
const mode = 0o100644;
const hashOf = (bytes: Uint8Array, fileMode = mode): string =>
  createHash('sha256').update(bytes).update(String(fileMode)).digest('hex');
const metadataOf = (bytes: Uint8Array, fileMode = mode) => ({
  size: String(bytes.length),
  mode: String(fileMode),
  mtime: '1700000000.25',
  hash: hashOf(bytes, fileMode),
});

describe('app files', () => {
  let folder: string;
  let database: Database;
  let blobs: Blobs;
  let appFiles: AppFiles;
  let sessions: UploadSessions;
  let nowMs: number;
  let ada: string;
  let bob: string;

  const open = (): AppFiles => {
    const clock = { ...systemClock, nowMs: () => nowMs };
    const limits = { partSizeBytes, totalSizeBytes, openPerOwner: 4, lifetimeMs };
    sessions = createUploadSessions({ folder: join(folder, 'uploads'), clock, limits });
    return createAppFiles({
      store: createSqliteAppFileStore(database),
      blobs,
      sessions,
      clock,
      totalSizeBytes,
    });
  };

  beforeEach(async () => {
    nowMs = Date.now();
    folder = await mkdtemp(join(tmpdir(), 'lanner-app-files-'));
    database = await openTemporaryDatabase();
    blobs = await openDiskBlobs(join(folder, 'blobs'));
    appFiles = open();
    const accounts = createAccounts({ store: createSqliteAccountStore(database), clock: systemClock });
    ada = (await accounts.create({ nickname: 'ada', fullName: '', isPersonal: true })).accountId;
    bob = (await accounts.create({ nickname: 'bob', fullName: '', isPersonal: true })).accountId;
  });
  afterEach(async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const put = (accountId: string, hash: string, uploadId: string, partNumber: number, bytes: Uint8Array) =>
    appFiles.putPart(accountId, hash, uploadId, partNumber, Readable.from([bytes]));

  const upload = async (accountId: string, bytes: Uint8Array, fileMode = mode): Promise<string> => {
    const hash = hashOf(bytes, fileMode);
    const { uploadId } = await appFiles.initiate(accountId, hash, metadataOf(bytes, fileMode));
    const parts = [];
    for (
      let start = 0, partNumber = 1;
      start < bytes.length || partNumber === 1;
      start += partSizeBytes, partNumber += 1
    ) {
      const { etag } = await put(accountId, hash, uploadId, partNumber, bytes.subarray(start, start + partSizeBytes));
      parts.push({ partNumber, etag });
    }
    await appFiles.complete(accountId, hash, uploadId, parts, metadataOf(bytes, fileMode));
    return hash;
  };

  it('are stored whole under their hash, with their mode', async () => {
    const bytes = randomBytes(2_300);
    const hash = await upload(ada, bytes, 0o100755);
    assert.ok((await buffer(await blobs.open(hash))).equals(bytes));
    assert.equal(await appFiles.modeOf(ada, hash), 0o100755);
    assert.deepEqual(await readdir(join(folder, 'uploads', ada)), []);
  });

  it('may be empty, and then have the hash that is published for it', async () => {
    const hash = await upload(ada, new Uint8Array());
    assert.equal(hash, 'd92c71f093c5fb8432d4a624b772734587e8c68534d9d988f1eaa29f7f6754de');
    assert.equal(await appFiles.modeOf(ada, hash), 33188);
  });

  it('are another file with another mode', async () => {
    const bytes = Buffer.from('#!/bin/sh\n');
    assert.notEqual(await upload(ada, bytes, 0o100644), await upload(ada, bytes, 0o100755));
  });

  it('are missing until the account itself has uploaded them', async () => {
    const bytes = Buffer.from('secret source');
    const other = 'ff'.repeat(32);
    const hash = await upload(ada, bytes);
    assert.deepEqual(await appFiles.missing(ada, [other, hash]), [other]);
    assert.deepEqual(await appFiles.missing(bob, [hash]), [hash]);
    assert.equal(await appFiles.modeOf(bob, hash), null);
    await upload(bob, bytes);
    assert.deepEqual(await appFiles.missing(bob, [hash]), []);
  });

  it('are missing again when their bytes were lost', async () => {
    const hash = await upload(ada, Buffer.from('x'));
    await blobs.delete(hash);
    assert.deepEqual(await appFiles.missing(ada, [hash]), [hash]);
    await upload(ada, Buffer.from('x'));
    assert.deepEqual(await appFiles.missing(ada, [hash]), []);
  });

  it('take parts in any order, and the last of two with the same number', async () => {
    const [first, second] = [randomBytes(1_000), randomBytes(500)];
    const bytes = Buffer.concat([first, second]);
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const two = await put(ada, hash, uploadId, 2, second);
    const wrong = await put(ada, hash, uploadId, 1, randomBytes(1_000));
    const one = await put(ada, hash, uploadId, 1, first);
    assert.notEqual(wrong.etag, one.etag);
    await assert.rejects(
      appFiles.complete(
        ada,
        hash,
        uploadId,
        [
          { partNumber: 1, etag: wrong.etag },
          { partNumber: 2, etag: two.etag },
        ],
        metadataOf(bytes),
      ),
      hasCode('invalid_argument', /was not uploaded/),
    );
    await appFiles.complete(
      ada,
      hash,
      uploadId,
      [
        { partNumber: 2, etag: two.etag },
        { partNumber: 1, etag: one.etag },
      ],
      metadataOf(bytes),
    );
    assert.ok((await buffer(await blobs.open(hash))).equals(bytes));
  });

  it('go on uploading after a restart of the server', async () => {
    const bytes = randomBytes(1_500);
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const one = await put(ada, hash, uploadId, 1, bytes.subarray(0, 1_000));
    appFiles = open();
    const two = await put(ada, hash, uploadId, 2, bytes.subarray(1_000));
    await appFiles.complete(
      ada,
      hash,
      uploadId,
      [
        { partNumber: 1, ...one },
        { partNumber: 2, ...two },
      ],
      metadataOf(bytes),
    );
    assert.equal(await appFiles.modeOf(ada, hash), mode);
  });

  it('are checked and stored after a restart too, when they are one part', async () => {
    const bytes = randomBytes(700);
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const one = await put(ada, hash, uploadId, 1, bytes);
    appFiles = open();
    const parts = [{ partNumber: 1, ...one }];
    await appFiles.complete(ada, hash, uploadId, parts, metadataOf(bytes));
    assert.ok((await buffer(await blobs.open(hash))).equals(bytes));
    assert.deepEqual(await readdir(join(folder, 'uploads', ada)), []);
  });

  it('keep their bytes when many pieces of many parts are joined', async () => {
    const mebibyte = 1024 * 1024;
    const limits = { partSizeBytes: 4 * mebibyte, totalSizeBytes: 8 * mebibyte, openPerOwner: 4, lifetimeMs };
    const clock = { ...systemClock, nowMs: () => nowMs };
    const store = createSqliteAppFileStore(database);
    const sessions = createUploadSessions({ folder: join(folder, 'large'), clock, limits });
    appFiles = createAppFiles({ store, blobs, sessions, clock, totalSizeBytes: limits.totalSizeBytes });
    const parts = [randomBytes(3 * mebibyte + 7), randomBytes(2 * mebibyte + 1)];
    const bytes = Buffer.concat(parts);
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const pieces = (part: Buffer) =>
      Readable.from(
        Array.from({ length: Math.ceil(part.length / 16_384) }, (_, index) =>
          part.subarray(index * 16_384, (index + 1) * 16_384),
        ),
      );
    const stored = await Promise.all(
      parts.map((part, index) => appFiles.putPart(ada, hash, uploadId, index + 1, pieces(part))),
    );
    const named = stored.map(({ etag }, index) => ({ partNumber: index + 1, etag }));
    await appFiles.complete(ada, hash, uploadId, named, metadataOf(bytes));
    assert.ok((await buffer(await blobs.open(hash))).equals(bytes));
  });

  it('are refused when bytes or mode do not have the hash, and leave nothing', async () => {
    const bytes = Buffer.from('claimed');
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const { etag } = await put(ada, hash, uploadId, 1, Buffer.from('claimeD'));
    const parts = [{ partNumber: 1, etag }];
    await assert.rejects(
      appFiles.complete(ada, hash, uploadId, parts, metadataOf(bytes)),
      hasCode('invalid_argument', /have hash/),
    );
    const right = await put(ada, hash, uploadId, 1, bytes);
    await assert.rejects(
      appFiles.complete(ada, hash, uploadId, [{ partNumber: 1, etag: right.etag }], {
        ...metadataOf(bytes),
        mode: String(0o100755),
      }),
      hasCode('invalid_argument', /have hash/),
    );
    assert.equal(await blobs.has(hash), false);
    assert.deepEqual(await appFiles.missing(ada, [hash]), [hash]);
    await appFiles.complete(ada, hash, uploadId, [{ partNumber: 1, etag: right.etag }], metadataOf(bytes));
    assert.equal(await appFiles.modeOf(ada, hash), mode);
  });

  it('answer a repeated completion as the first', async () => {
    const bytes = Buffer.from('again');
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const { etag } = await put(ada, hash, uploadId, 1, bytes);
    const complete = () => appFiles.complete(ada, hash, uploadId, [{ partNumber: 1, etag }], metadataOf(bytes));
    assert.deepEqual(await complete(), await complete());
  });

  it('know no upload of another account, nor one that ended', async () => {
    const bytes = Buffer.from('mine');
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const { etag } = await put(ada, hash, uploadId, 1, bytes);
    const parts = [{ partNumber: 1, etag }];
    await assert.rejects(put(bob, hash, uploadId, 1, bytes), hasCode('not_found'));
    await assert.rejects(appFiles.complete(bob, hash, uploadId, parts, metadataOf(bytes)), hasCode('not_found'));
    await appFiles.cancel(bob, hash, uploadId);
    await appFiles.cancel(ada, hash, uploadId);
    await appFiles.cancel(ada, hash, uploadId);
    await assert.rejects(put(ada, hash, uploadId, 1, bytes), hasCode('not_found'));
    await assert.rejects(appFiles.complete(ada, hash, uploadId, parts, metadataOf(bytes)), hasCode('not_found'));
    for (const wrong of ['..', '../..', `../${bob}`, randomUUID()]) {
      await assert.rejects(put(ada, hash, wrong, 1, bytes), hasCode('not_found'), wrong);
      await appFiles.cancel(ada, hash, wrong);
    }
  });

  it('have bounds for parts, files and unfinished uploads', async () => {
    const bytes = randomBytes(1_001);
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    await assert.rejects(put(ada, hash, uploadId, 1, bytes), hasCode('payload_too_large', /1000 bytes/));
    for (const partNumber of [1, 2]) await put(ada, hash, uploadId, partNumber, randomBytes(1_000));
    await assert.rejects(put(ada, hash, uploadId, 3, randomBytes(501)), hasCode('payload_too_large', /2500 bytes/));
    await put(ada, hash, uploadId, 3, randomBytes(500));
    for (const partNumber of [0, -1, 1.5, 10_001, Number.NaN]) {
      await assert.rejects(
        put(ada, hash, uploadId, partNumber, bytes),
        hasCode('invalid_argument'),
        String(partNumber),
      );
    }
    assert.equal((await readdir(join(folder, 'uploads', ada, uploadId))).length, 3);
    const tooLarge = { ...metadataOf(bytes), size: '2501' };
    await assert.rejects(appFiles.initiate(ada, hash, tooLarge), hasCode('payload_too_large'));
    for (let count = 1; count < 4; count += 1) await appFiles.initiate(ada, hash, metadataOf(bytes));
    await assert.rejects(appFiles.initiate(ada, hash, metadataOf(bytes)), hasCode('too_many_requests', /4 unfinished/));
    await appFiles.initiate(bob, hash, metadataOf(bytes));
  });

  it('forget uploads that nobody finished', async () => {
    const bytes = Buffer.from('x');
    const hash = hashOf(bytes);
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    nowMs += 2 * 60 * 60 * 1000;
    await sessions.sweep();
    const fresh = await appFiles.initiate(ada, hash, metadataOf(bytes));
    await assert.rejects(put(ada, hash, uploadId, 1, bytes), hasCode('not_found'));
    await put(ada, hash, fresh.uploadId, 1, bytes);
  });

  it('refuse hashes and metadata that cannot be', async () => {
    const bytes = Buffer.from('x');
    const hash = hashOf(bytes);
    for (const wrong of ['', '../x', hash.toUpperCase(), `${hash}0`]) {
      await assert.rejects(appFiles.missing(ada, [wrong]), hasCode('invalid_argument'), wrong);
      await assert.rejects(appFiles.initiate(ada, wrong, metadataOf(bytes)), hasCode('invalid_argument'), wrong);
    }
    await assert.rejects(
      appFiles.missing(
        ada,
        Array.from({ length: 10_001 }, () => hash),
      ),
      hasCode('invalid_argument', /10001/),
    );
    for (const wrong of [
      { mode: '0o644' },
      { mode: String(0o040755) },
      { mode: String(0o120777) },
      { mode: String(2 ** 33 + mode) },
      { size: '-1' },
      { size: '1e3' },
      { hash: 'ff'.repeat(32) },
    ]) {
      await assert.rejects(
        appFiles.initiate(ada, hash, { ...metadataOf(bytes), ...wrong }),
        hasCode('invalid_argument'),
        JSON.stringify(wrong),
      );
    }
    await assert.rejects(appFiles.initiate(ada, hash, {}), hasCode('invalid_argument', /mode/));
    const { uploadId } = await appFiles.initiate(ada, hash, metadataOf(bytes));
    const { etag } = await put(ada, hash, uploadId, 1, bytes);
    const complete = (parts: { partNumber: number; etag: string }[], size = '1') =>
      appFiles.complete(ada, hash, uploadId, parts, { ...metadataOf(bytes), size });
    await assert.rejects(complete([]), hasCode('invalid_argument', /No parts/));
    await assert.rejects(
      complete([
        { partNumber: 1, etag },
        { partNumber: 1, etag },
      ]),
      hasCode('invalid_argument', /twice/),
    );
    await assert.rejects(complete([{ partNumber: 1, etag }], '2'), hasCode('invalid_argument', /says 2/));
    await complete([{ partNumber: 1, etag }]);
  });
});
