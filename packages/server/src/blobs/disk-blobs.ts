import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
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

  const put = async (hash: string, bytes: Uint8Array | Readable): Promise<void> => {
    const path = toPath(hash);
    const temporaryPath = join(temporaryFolder, randomUUID());
    try {
      await writeDurably(temporaryPath, bytes);
      const parent = dirname(path);
      const madeFolder = await mkdir(parent, { recursive: true, mode: 0o700 });
      await rename(temporaryPath, path);
      await syncFolder(parent);
      if (madeFolder !== undefined) await syncFolder(folder);
    } catch (error) {
      await rm(temporaryPath, { force: true });
      throw error;
    }
  };

  return {
    async has(hash) {
      return (await ignoringAbsence(stat(toPath(hash)))) !== null;
    },
    put,
    async putContent(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      if ((await ignoringAbsence(stat(toPath(hash))))?.size !== bytes.length) await put(hash, bytes);
      return hash;
    },
    async open(hash) {
      const file = await ignoringAbsence(open(toPath(hash), 'r'));
      if (file === null) {
        throw new LannerError('not_found', `Blob ${hash} is not stored here. Upload it again by deploying once more.`);
      }
      return file.createReadStream();
    },
    async delete(hash) {
      await ignoringAbsence(unlink(toPath(hash)));
    },
  };
}

async function writeDurably(path: string, bytes: Uint8Array | Readable): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    if (bytes instanceof Uint8Array) await file.writeFile(bytes);
    else for await (const chunk of bytes) await writeAll(file, chunk as Uint8Array | string);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array | string): Promise<void> {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
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
