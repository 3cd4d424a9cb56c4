import { randomUUID, type Hash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LannerError, type Clock } from '@lanner/protocol';
import { ignoringAbsence } from '../lib/ignoring-absence.ts';
import { readPart, writePart } from './part-file.ts';

/** A part as it lies on disk. */
export interface StoredPart {
  partNumber: number;
  etag: string;
  sizeBytes: number;
}

export interface UploadSessionLimits {
  /** Largest part. The official client sends 10 MiB parts. */
  partSizeBytes: number;
  /** Largest sum of parts. */
  totalSizeBytes: number;
  openPerOwner: number;
  /** Time after the beginning of an upload at which it is forgotten. */
  lifetimeMs: number;
}

/**
 * Uploads in parts, kept on disk alone (`folder/owner/uploadId/number.etag`), so that a restarted server goes on with
 * them. An upload is found only under the owner that began it.
 */
export interface UploadSessions {
  /** Throws `too_many_requests` when the owner has too many open ones. */
  begin(owner: string): Promise<string>;
  exists(owner: string, uploadId: string): Promise<boolean>;
  /** Throws `not_found`, `invalid_argument`, `payload_too_large`. */
  putPart(owner: string, uploadId: string, partNumber: number, bytes: AsyncIterable<Uint8Array>): Promise<StoredPart>;
  /** By number. Throws `not_found`. */
  parts(owner: string, uploadId: string): Promise<StoredPart[]>;
  /** Bytes of one part. A chunk is overwritten when the next but one is asked for. */
  read(owner: string, uploadId: string, part: StoredPart): AsyncIterable<Uint8Array>;
  /** The file that holds a part. */
  pathOf(owner: string, uploadId: string, part: StoredPart): string;
  /** A running SHA-256 over the bytes of a part; null when this process did not see them arrive, or long ago. */
  hashOf(owner: string, uploadId: string, part: StoredPart): Hash | null;
  /** Idempotent. */
  end(owner: string, uploadId: string): Promise<void>;
  /** Forgets uploads past their lifetime. */
  sweep(): Promise<void>;
}

const uploadIdForm = /^[0-9a-f-]{36}$/;
const ownerForm = /^[A-Za-z0-9-]{1,64}$/;
const partFileForm = /^(\d{1,5})\.([0-9a-f]{32})$/;

/** As the S3 protocol has it. */
const highestPartNumber = 10_000;
/** Hashes that are kept until their upload is complete: one is some hundred bytes. */
const mostKeptHashes = 2_000;

export function createUploadSessions(options: {
  folder: string;
  clock: Clock;
  limits: UploadSessionLimits;
}): UploadSessions {
  const { folder, clock, limits } = options;

  const toOwnerFolder = (owner: string): string => {
    if (!ownerForm.test(owner)) throw new RangeError('the owner of an upload is no plain name');
    return join(folder, owner);
  };

  /** Every path goes through here: what a caller sends as an id can only name a folder of its own account. */
  const toSessionFolder = (owner: string, uploadId: string): string => {
    if (!uploadIdForm.test(uploadId)) throw unknownUpload(uploadId);
    return join(toOwnerFolder(owner), uploadId);
  };

  const toPartPath = (owner: string, uploadId: string, part: StoredPart): string =>
    join(toSessionFolder(owner, uploadId), `${part.partNumber}.${part.etag}`);

  /** By the path of the part, oldest first. */
  const hashes = new Map<string, Hash>();
  const keepHash = (path: string, hash: Hash): void => {
    hashes.delete(path);
    hashes.set(path, hash);
    if (hashes.size > mostKeptHashes) hashes.delete(hashes.keys().next().value!);
  };

  const listParts = async (owner: string, uploadId: string): Promise<StoredPart[]> => {
    const sessionFolder = toSessionFolder(owner, uploadId);
    const names = await ignoringAbsence(readdir(sessionFolder));
    if (names === null) throw unknownUpload(uploadId);
    const parts: StoredPart[] = [];
    for (const name of names) {
      const match = partFileForm.exec(name);
      const information = match === null ? null : await ignoringAbsence(stat(join(sessionFolder, name)));
      if (match === null || information === null) continue;
      parts.push({ partNumber: Number(match[1]), etag: match[2]!, sizeBytes: information.size });
    }
    return parts.toSorted((left, right) => left.partNumber - right.partNumber);
  };

  return {
    async begin(owner) {
      const ownerFolder = toOwnerFolder(owner);
      await mkdir(ownerFolder, { recursive: true, mode: 0o700 });
      const openCount = (await readdir(ownerFolder)).length;
      if (openCount >= limits.openPerOwner) {
        throw new LannerError(
          'too_many_requests',
          `This account has ${openCount} unfinished uploads, the most there may be. Complete or cancel some, or wait until they expire.`,
        );
      }
      const uploadId = randomUUID();
      await mkdir(join(ownerFolder, uploadId), { mode: 0o700 });
      return uploadId;
    },

    async exists(owner, uploadId) {
      return uploadIdForm.test(uploadId) && (await ignoringAbsence(stat(toSessionFolder(owner, uploadId)))) !== null;
    },

    async putPart(owner, uploadId, partNumber, bytes) {
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > highestPartNumber) {
        throw new LannerError(
          'invalid_argument',
          `Part number ${partNumber} is not a whole number from 1 to ${highestPartNumber}.`,
        );
      }
      const sessionFolder = toSessionFolder(owner, uploadId);
      const present = await listParts(owner, uploadId);
      const otherBytes = present
        .filter((part) => part.partNumber !== partNumber)
        .reduce((sum, part) => sum + part.sizeBytes, 0);
      const temporaryPath = join(sessionFolder, `${randomUUID()}.part`);
      try {
        const { hash, sizeBytes } = await writePart(temporaryPath, bytes, (partBytes) =>
          assertSize(partBytes, otherBytes, limits),
        );
        const etag = hash.copy().digest('hex').slice(0, 32);
        const part = { partNumber, etag, sizeBytes };
        const path = toPartPath(owner, uploadId, part);
        await rename(temporaryPath, path);
        keepHash(path, hash);
        for (const old of present) {
          if (old.partNumber !== partNumber || old.etag === etag) continue;
          await rm(join(sessionFolder, `${old.partNumber}.${old.etag}`), { force: true });
        }
        return part;
      } catch (error) {
        await rm(temporaryPath, { force: true });
        // The upload was cancelled or expired while the part arrived.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw unknownUpload(uploadId);
        throw error;
      }
    },

    parts: listParts,

    read: (owner, uploadId, part) => readPart(toPartPath(owner, uploadId, part)),

    pathOf: toPartPath,

    hashOf: (owner, uploadId, part) => hashes.get(toPartPath(owner, uploadId, part))?.copy() ?? null,

    async end(owner, uploadId) {
      if (!uploadIdForm.test(uploadId)) return;
      const sessionFolder = toSessionFolder(owner, uploadId);
      for (const name of (await ignoringAbsence(readdir(sessionFolder))) ?? [])
        hashes.delete(join(sessionFolder, name));
      await rm(sessionFolder, { recursive: true, force: true });
    },

    async sweep() {
      const nowMs = clock.nowMs();
      for (const owner of (await ignoringAbsence(readdir(folder))) ?? []) {
        if (!ownerForm.test(owner)) continue;
        for (const uploadId of await readdir(join(folder, owner))) {
          const path = join(folder, owner, uploadId);
          const information = await ignoringAbsence(stat(path));
          // The folder's time moves with each part: an upload in progress is young.
          if (information !== null && nowMs - information.mtimeMs > limits.lifetimeMs) {
            await rm(path, { recursive: true, force: true });
          }
        }
      }
    },
  };
}

function assertSize(sizeBytes: number, otherBytes: number, limits: UploadSessionLimits): void {
  if (sizeBytes > limits.partSizeBytes) {
    throw new LannerError(
      'payload_too_large',
      `A part may have ${limits.partSizeBytes} bytes; this one has more. Send smaller parts.`,
    );
  }
  if (otherBytes + sizeBytes > limits.totalSizeBytes) {
    throw new LannerError(
      'payload_too_large',
      `A file may have ${limits.totalSizeBytes} bytes; the parts sent so far have more.`,
    );
  }
}

function unknownUpload(uploadId: string): LannerError {
  return new LannerError(
    'not_found',
    `Upload "${uploadId.slice(0, 100)}" was not found: it was completed, cancelled or has expired. Begin it again.`,
  );
}
