import { createHash, randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, open, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blobRelativePath, LannerError } from '@lanner/protocol';
import { ignoringAbsence } from '../lib/ignoring-absence.ts';
import type { Blobs } from './blobs.ts';

/**
 * Blobs as files below `folder`, laid out as blob-layout.ts says (the supervisor reads them there). A blob appears by a
 * rename once its bytes are on disk. Temporary files that a killed server left are removed at opening: call this once
 * per folder and process.
 */
export async function openDiskBlobs(folder: string): Promise<Blobs> {
  const temporaryFolder = join(folder, 'tmp');
  await rm(temporaryFolder, { recursive: true, force: true });
  await mkdir(temporaryFolder, { recursive: true, mode: 0o700 });
  const toPath = (hash: string): string => join(folder, blobRelativePath(hash));

  /** `write` makes the file at the path it gets, durably; it appears under its name once it is whole. */
  const putWith = async (hash: string, write: (temporaryPath: string) => Promise<void>): Promise<void> => {
    const path = toPath(hash);
    const temporaryPath = join(temporaryFolder, randomUUID());
    try {
      await write(temporaryPath);
      const parent = dirname(path);
      const madeFolder = await mkdir(parent, { recursive: true, mode: 0o700 });
      await rename(temporaryPath, path);
      await syncFolder(parent);
      if (madeFolder !== undefined) await syncFolder(folder);
    } finally {
      // Still there after a failure, or when it was another name of the very same file.
      await rm(temporaryPath, { force: true });
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
      if ((await ignoringAbsence(stat(toPath(hash))))?.size !== bytes.length) await put(hash, bytes);
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
  };
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
