import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { blobRelativePath, isLannerError } from '@lanner/protocol';
import type { Blobs } from './blobs.ts';
import { openDiskBlobs } from './disk-blobs.ts';

describe('disk blobs', () => {
  let folder: string;
  let blobs: Blobs;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-blobs-'));
    blobs = await openDiskBlobs(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const name = 'ab'.repeat(32);
  const read = async (hash: string): Promise<Buffer> => buffer(await blobs.open(hash));

  it('give back bytes and streams', async () => {
    const large = randomBytes(3 * 1024 * 1024);
    await blobs.put(name, Readable.from([large.subarray(0, 1_000_000), large.subarray(1_000_000)]));
    assert.ok((await read(name)).equals(large));
    await blobs.put(name, new Uint8Array());
    assert.equal((await read(name)).length, 0);
  });

  it('lie where the supervisor looks for them, readable by this user alone', async () => {
    await blobs.put(name, Buffer.from('content'));
    const path = join(folder, blobRelativePath(name));
    assert.equal(await readFile(path, 'utf8'), 'content');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it('are named by their content when asked', async () => {
    const content = Buffer.from('content');
    const hash = await blobs.putContent(content);
    assert.equal(hash, createHash('sha256').update(content).digest('hex'));
    assert.equal(await blobs.putContent(content), hash);
    assert.ok((await read(hash)).equals(content));
  });

  it('are deleted by age alone while nobody writes them: stored again, they are new', async () => {
    const old = Buffer.from('old');
    const hash = await blobs.putContent(old);
    const path = join(folder, blobRelativePath(hash));
    const makeOld = (): Promise<void> => utimes(path, 1_000, 1_000);
    const hourAgoMs = Date.now() - 3_600_000;
    await makeOld();
    await blobs.put(name, Buffer.from('new'));
    assert.deepEqual((await blobs.shards()).toSorted(), [hash.slice(0, 2), name.slice(0, 2)].toSorted());
    assert.deepEqual(await blobs.listOlder(hash.slice(0, 2), hourAgoMs), [hash]);
    assert.deepEqual(await blobs.listOlder(name.slice(0, 2), hourAgoMs), []);
    assert.equal(await blobs.deleteOlder(name, hourAgoMs), false);

    await blobs.putContent(old);
    assert.equal(await blobs.deleteOlder(hash, hourAgoMs), false);
    await makeOld();
    const again = blobs.putContent(old);
    assert.equal(await blobs.deleteOlder(hash, hourAgoMs), false);
    await again;
    await makeOld();
    const half = Promise.withResolvers<Buffer>();
    const writing = blobs.put(
      hash,
      (async function* () {
        yield Buffer.from('o');
        yield await half.promise;
      })(),
    );
    assert.equal(await blobs.deleteOlder(hash, hourAgoMs), false);
    half.resolve(Buffer.from('ld'));
    await writing;

    await makeOld();
    assert.equal(await blobs.deleteOlder(hash, hourAgoMs), true);
    assert.equal(await blobs.deleteOlder(hash, hourAgoMs), false);
    assert.equal(await blobs.has(hash), false);
    assert.equal(await blobs.putContent(old), hash);
    assert.ok((await read(hash)).equals(old));
  });

  it('appear whole or not at all', async () => {
    const failing = async function* () {
      yield Buffer.from('half');
      throw new RangeError('the source broke');
    };
    await assert.rejects(blobs.put(name, Readable.from(failing())), RangeError);
    assert.equal(await blobs.has(name), false);
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  });

  it('take over a file, which keeps its name and may go', async () => {
    const source = join(folder, 'part');
    await writeFile(source, 'of a part', { mode: 0o600 });
    await blobs.putFile(name, source);
    await blobs.putFile(name, source);
    await rm(source);
    assert.equal((await read(name)).toString(), 'of a part');
    await assert.rejects(blobs.putFile(name, source), { code: 'ENOENT' });
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  });

  it('survive many writers of the same one', async () => {
    const content = randomBytes(100_000);
    await Promise.all(Array.from({ length: 10 }, () => blobs.put(name, content)));
    assert.ok((await read(name)).equals(content));
  });

  it('can be asked for and deleted', async () => {
    assert.equal(await blobs.has(name), false);
    await blobs.put(name, Buffer.from('x'));
    assert.equal(await blobs.has(name), true);
    await blobs.delete(name);
    await blobs.delete(name);
    assert.equal(await blobs.has(name), false);
    await assert.rejects(blobs.open(name), (error) => isLannerError(error) && error.code === 'not_found');
  });

  it('have no names that lead elsewhere', async () => {
    for (const wrong of ['', '../../etc/passwd', `${'a'.repeat(63)}/`, 'AB'.repeat(32), `${name}/../x`]) {
      await assert.rejects(async () => blobs.put(wrong, Buffer.from('x')), RangeError);
      await assert.rejects(async () => blobs.open(wrong), RangeError);
      await assert.rejects(async () => blobs.has(wrong), RangeError);
      await assert.rejects(async () => blobs.delete(wrong), RangeError);
    }
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  });

  it('lose the leftovers of a killed server when they are opened again', async () => {
    await blobs.put(name, Buffer.from('kept'));
    await writeFile(join(folder, 'tmp', 'leftover'), 'half');
    blobs = await openDiskBlobs(folder);
    assert.deepEqual(await readdir(join(folder, 'tmp')), []);
    assert.equal((await read(name)).toString(), 'kept');
  });
});
