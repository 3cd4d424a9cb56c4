import { createHash, randomUUID } from 'node:crypto';
import { statSync, unlinkSync } from 'node:fs';
import {
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blobRelativePath, LannerError, systemClock, type Clock } from '@lanner/protocol';
import { ignoringAbsence } from '../lib/ignoring-absence.ts';
import { diskFull, isDiskFull } from '../lib/disk-full.ts';
import type { Blobs } from './blobs.ts';

/**
 * Blobs as files below `folder`, laid out as blob-layout.ts says (the supervisor reads them there). A blob appears by a
 * rename once its bytes are on disk. Temporary files that a killed server left are removed at opening: call this once
 * per folder and process.
 */
export async function openDiskBlobs(folder: string, clock: Pick<Clock, 'nowMs'> = systemClock): Promise<Blobs> {
  const temporaryFolder = join(folder, 'tmp');
  await rm(temporaryFolder, { recursive: true, force: true });
  await mkdir(temporaryFolder, { recursive: true, mode: 0o700 });
  const toPath = (hash: string): string => join(folder, blobRelativePath(hash));
  const pins = createPins();

  /** `write` makes the file at the path it gets, durably; it appears under its name once it is whole. */
  const putWith = async (hash: string, write: (temporaryPath: string) => Promise<void>): Promise<void> => {
    const path = toPath(hash);
    const temporaryPath = join(temporaryFolder, randomUUID());
    const unpin = pins.pin(hash);
    try {
      await write(temporaryPath);
      const parent = dirname(path);
      const madeFolder = await mkdir(parent, { recursive: true, mode: 0o700 });
      await rename(temporaryPath, path);
      await syncFolder(parent);
      if (madeFolder !== undefined) await syncFolder(folder);
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error;
    } finally {
      // Still there after a failure, or when it was another name of the very same file.
      await rm(temporaryPath, { force: true });
      unpin();
    }
  };

  const put: Blobs['put'] = (hash, bytes) => putWith(hash, (path) => writeDurably(path, bytes));

  return {
    async has(hash) {
      return (await ignoringAbsence(stat(toPath(hash)))) !== null;
    },
    put,
    putFile: (hash, source) => putWith(hash, (path) => linkDurably(source, path)),
    async putContent(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const unpin = pins.pin(hash);
      try {
        const isThere = (await ignoringAbsence(stat(toPath(hash))))?.size === bytes.length;
        if (isThere) await touch(toPath(hash), clock.nowMs());
        else await put(hash, bytes);
      } finally {
        unpin();
      }
      return hash;
    },
    async open(hash, range) {
      const file = await ignoringAbsence(open(toPath(hash), 'r'));
      if (file === null) {
        throw new LannerError('not_found', `Blob ${hash} is not stored here. Upload it again by deploying once more.`);
      }
      return file.createReadStream(range === undefined ? {} : { start: range.first, end: range.last });
    },
    async delete(hash) {
      await ignoringAbsence(unlink(toPath(hash)));
    },
    async shards() {
      return (await readdir(folder)).filter((name) => /^[0-9a-f]{2}$/.test(name));
    },
    async listOlder(shard, writtenBeforeMs) {
      const names: string[] = [];
      for (const name of (await ignoringAbsence(readdir(join(folder, shard)))) ?? []) {
        if (!/^[0-9a-f]{64}$/.test(name)) continue;
        const information = await ignoringAbsence(stat(toPath(name)));
        if (information !== null && information.mtimeMs < writtenBeforeMs) names.push(name);
      }
      return names;
    },
    async deleteOlder(hash, writtenBeforeMs) {
      // Between looking and deleting nothing else may run: no await here.
      if (pins.has(hash)) return false;
      const path = toPath(hash);
      const information = statSync(path, { throwIfNoEntry: false });
      if (information === undefined || information.mtimeMs >= writtenBeforeMs) return false;
      unlinkSync(path);
      return true;
    },
  };
}

/** Blobs that are being written: they must not be deleted meanwhile. */
function createPins(): { pin(hash: string): () => void; has(hash: string): boolean } {
  const counts = new Map<string, number>();
  return {
    pin(hash) {
      counts.set(hash, (counts.get(hash) ?? 0) + 1);
      return () => {
        const left = counts.get(hash)! - 1;
        if (left === 0) counts.delete(hash);
        else counts.set(hash, left);
      };
    },
    has: (hash) => counts.has(hash),
  };
}

/** What has been stored again is as good as new. */
async function touch(path: string, nowMs: number): Promise<void> {
  await utimes(path, nowMs / 1000, nowMs / 1000);
}

async function writeDurably(path: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    if (bytes instanceof Uint8Array) await writeAll(file, bytes);
    else await writeEach(file, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** While one chunk is being written, the next is made: reading and hashing cost no time of their own. */
async function writeEach(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let writing = Promise.resolve();
  try {
    for await (const chunk of chunks) {
      await writing;
      writing = writeAll(file, chunk);
      // Heard at the next turn; until then it is nobody's unhandled rejection.
      writing.catch(() => undefined);
    }
  } catch (error) {
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;
}

/** Another name for a file, or a copy where there can be none (another file system, one without links). */
async function linkDurably(source: string, path: string): Promise<void> {
  await link(source, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EEXIST') throw error;
    await copyFile(source, path);
  });
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written)).bytesWritten;
  }
}

/** A rename is durable once the folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
