import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { LannerError, type Clock } from '@lanner/protocol';
import type { UploadSessions } from '../../blobs/upload-sessions.ts';
import { leavingFree, storing, takeIn, type FreeSpaceRule, type Incoming } from '../intake.ts';
import { codeOf, Folder, kindOf, type Owner } from './folder.ts';
import { listFolder, type VolumeEntry } from './list-folder.ts';
import { formatVolumePath, type VolumePath } from './parse-volume-path.ts';
import { removeTree } from './remove-tree.ts';
import { isTemporaryName, temporaryName } from './temporary-name.ts';
import { walk } from './walk.ts';

/** A file that is open for reading. */
export interface OpenedFile {
  sizeBytes: number;
  modifiedAtMs: number;
  /** Reads and closes; destroying it closes too. */
  stream(range: { first: number; last: number }): Readable;
  close(): Promise<void>;
}

export interface DataPart {
  partNumber: number;
  etag: string;
}

/**
 * The `/data` of accounts: what runners see there, and the file routes change. Runners write it too, so nothing in it is
 * believed: links are followed only where they stay inside, and only as far as each operation says.
 */
export interface DataVolume {
  /** Entries of a folder by name; empty for one that does not exist. */
  list(accountId: string, path: VolumePath): Promise<VolumeEntry[]>;
  /** Throws `not_found`, `invalid_argument` (not a file). */
  openFile(accountId: string, path: VolumePath): Promise<OpenedFile>;
  /** Writes a file in place of whatever file was there; a reader sees the old one or the new one. */
  writeFile(accountId: string, path: VolumePath, incoming: Incoming): Promise<{ md5: string; sizeBytes: number }>;
  /** A file or folder with everything in it. Throws `not_found`. */
  remove(accountId: string, path: VolumePath): Promise<void>;
  /** Throws `not_found`, `invalid_argument`. */
  rename(accountId: string, path: VolumePath, destination: VolumePath): Promise<void>;
  beginUpload(accountId: string): Promise<string>;
  putPart(accountId: string, uploadId: string, partNumber: number, bytes: Readable): Promise<DataPart>;
  /** Joins the parts into a file. */
  completeUpload(
    accountId: string,
    path: VolumePath,
    uploadId: string,
    parts: readonly DataPart[],
  ): Promise<{ md5: string }>;
  cancelUpload(accountId: string, uploadId: string): Promise<void>;
}

export interface DataVolumeOptions {
  /** `<this>/<account>` is the account's `/data`; supervisors show it to runners. */
  folder: string;
  sessions: UploadSessions;
  /** Whom the account's runners run as; null: as we do. */
  ownerOf: (accountId: string) => Promise<Owner | null>;
  /** Most bytes of one file. */
  fileBytes: number;
  freeSpace: FreeSpaceRule;
  clock: Pick<Clock, 'nowMs'>;
}

const accountForm = /^[A-Za-z0-9-]{1,64}$/;

export function createDataVolume(options: DataVolumeOptions): DataVolume {
  const { folder, sessions, ownerOf, fileBytes, freeSpace, clock } = options;

  const inVolume = async <Result>(
    accountId: string,
    use: (root: Folder, owner: Owner | null) => Promise<Result>,
  ): Promise<Result> => {
    if (!accountForm.test(accountId)) throw new RangeError('the account id is no plain name');
    const owner = await ownerOf(accountId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const outer = await Folder.open(folder);
    try {
      const root = await outer.enterOrMake(Buffer.from(accountId), owner);
      try {
        return await use(root, owner);
      } finally {
        await root.close();
      }
    } finally {
      await outer.close();
    }
  };

  /** Writes to a file beside the target, then gives it the target's name. */
  const place = (
    accountId: string,
    path: VolumePath,
    incoming: Incoming,
  ): Promise<{ md5: string; sizeBytes: number }> =>
    inVolume(accountId, async (root, owner) => {
      if (path.length === 0) throw isFolder(path);
      const watched = leavingFree(incoming, join(folder, accountId), freeSpace);
      const done = await walk(root, path, { make: { owner } }, async ({ folder: parent, name }) => {
        if (name === null || isTemporaryName(name)) throw isFolder(path);
        if ((await parent.kindOf(name)) === 'folder') throw isFolder(path);
        const temporary = temporaryName();
        const file = await parent.createFile(temporary, owner);
        try {
          const md5 = createHash('md5');
          const { sizeBytes } = await takeIn(watched, { bytes: fileBytes, what: 'A file' }, async (bytes) => {
            for await (const chunk of bytes) {
              md5.update(chunk);
              for (let written = 0; written < chunk.length;) {
                written += (await file.write(chunk, written)).bytesWritten;
              }
            }
            await file.sync();
          });
          await parent.rename(temporary, parent, name);
          await parent.sync();
          return { md5: md5.digest('hex'), sizeBytes };
        } catch (error) {
          await parent.unlink(temporary).catch(() => undefined);
          throw codeOf(error) === 'EISDIR' ? isFolder(path) : error;
        } finally {
          await file.close();
        }
      });
      if (done === null) throw notThere(path);
      return done;
    });

  return {
    list: (accountId, path) =>
      inVolume(
        accountId,
        async (root) =>
          (await walk(root, path, { followLast: true }, (where) => listFolder(root, path, where, clock.nowMs()))) ?? [],
      ),

    openFile: (accountId, path) =>
      inVolume(accountId, async (root) => {
        const opened = await walk(root, path, { followLast: true }, async ({ folder: parent, name }) => {
          if (name === null || (await parent.kindOf(name)) === 'folder') throw isFolder(path);
          return openRegular(parent, name, path);
        });
        if (opened === null) throw notThere(path);
        return opened;
      }),

    writeFile: place,

    remove: (accountId, path) =>
      inVolume(accountId, async (root) => {
        if (path.length === 0) throw new LannerError('invalid_argument', '/data itself cannot be deleted.');
        const isRemoved = await walk(root, path, {}, ({ folder: parent, name }) =>
          name === null ? Promise.resolve(false) : removeTree(parent, name),
        );
        if (isRemoved !== true) throw notThere(path);
      }),

    rename: (accountId, path, destination) =>
      inVolume(accountId, async (root, owner) => {
        if (path.length === 0 || destination.length === 0) {
          throw new LannerError('invalid_argument', '/data itself cannot be moved, and nothing can take its place.');
        }
        const isMoved = await walk(root, path, {}, async ({ folder: from, name }) => {
          if (name === null || (await from.kindOf(name)) === null) return false;
          return walk(root, destination, { make: { owner } }, async ({ folder: to, name: newName }) => {
            if (newName === null) return false;
            await from.rename(name, to, newName).catch((error: unknown) => {
              throw toRenameError(error, destination);
            });
            await to.sync();
            return true;
          });
        });
        if (isMoved !== true) throw notThere(path);
      }),

    beginUpload: (accountId) => sessions.begin(accountId),

    async putPart(accountId, uploadId, partNumber, bytes) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const { bytes: watched } = leavingFree({ bytes, announcedBytes: null }, folder, freeSpace);
      const { etag } = await storing(() => sessions.putPart(accountId, uploadId, partNumber, watched));
      return { partNumber, etag };
    },

    async completeUpload(accountId, path, uploadId, parts) {
      const stored = new Map((await sessions.parts(accountId, uploadId)).map((part) => [part.partNumber, part]));
      const wanted = parts.map(({ partNumber, etag }) => {
        const part = stored.get(partNumber);
        if (part?.etag === etag) return part;
        throw new LannerError('invalid_argument', `Part ${partNumber} was not uploaded, or has another ETag.`);
      });
      if (wanted.length === 0) throw new LannerError('invalid_argument', 'The list of parts is empty.');
      const ordered = wanted.toSorted((left, right) => left.partNumber - right.partNumber);
      const bytes = (async function* (): AsyncGenerator<Uint8Array> {
        for (const part of ordered) yield* sessions.read(accountId, uploadId, part);
      })();
      const announcedBytes = ordered.reduce((sum, part) => sum + part.sizeBytes, 0);
      const { md5 } = await place(accountId, path, { bytes, announcedBytes });
      await sessions.end(accountId, uploadId);
      return { md5 };
    },

    cancelUpload: (accountId, uploadId) => sessions.end(accountId, uploadId),
  };
}

async function openRegular(parent: Folder, name: Buffer, path: VolumePath): Promise<OpenedFile | null> {
  const file = await parent.openFile(name).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP') return null;
    // A pipe that nobody writes, a device, a socket.
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'EOPNOTSUPP') throw isNoFile(path);
    throw error;
  });
  if (file === null) return null;
  const stats = await file.stat();
  if (kindOf(stats) !== 'file') {
    await file.close();
    throw isNoFile(path);
  }
  return {
    sizeBytes: stats.size,
    modifiedAtMs: stats.mtimeMs,
    stream: ({ first, last }) => file.createReadStream({ start: first, end: last, highWaterMark: 256 * 1024 }),
    close: () => file.close(),
  };
}

function toRenameError(error: unknown, destination: VolumePath): unknown {
  switch (codeOf(error)) {
    case 'ENOTEMPTY':
    case 'EEXIST':
    case 'EISDIR':
    case 'ENOTDIR':
      return new LannerError(
        'invalid_argument',
        `${formatVolumePath(destination)} exists and cannot be replaced by this. Delete it first.`,
      );
    case 'EINVAL':
      return new LannerError('invalid_argument', 'A folder cannot be moved into itself.');
    case 'ENAMETOOLONG':
      return new LannerError('invalid_argument', 'The new name is too long.');
    default:
      return error;
  }
}

const notThere = (path: VolumePath): LannerError =>
  new LannerError('not_found', `There is no ${formatVolumePath(path).slice(0, 300)}.`);
const isFolder = (path: VolumePath): LannerError =>
  new LannerError('invalid_argument', `${formatVolumePath(path).slice(0, 300)} is a folder, not a file.`);
const isNoFile = (path: VolumePath): LannerError =>
  new LannerError('invalid_argument', `${formatVolumePath(path).slice(0, 300)} is no ordinary file.`);
