import { LannerError, type Clock } from '@lanner/protocol';
import { assertAppFileHash, createAppFileHash, parseAppFileMetadata } from './app-file-hash.ts';
import type { AppFileStore } from './app-file-store.ts';
import type { AppFiles, UploadedPart } from './app-files.ts';
import type { Blobs } from './blobs.ts';
import type { StoredPart, UploadSessions } from './upload-sessions.ts';

const mostHashesPerQuestion = 10_000;

/** App files over a store (who may use what), blobs (the bytes) and upload sessions (what is still arriving). */
export function createAppFiles(options: {
  store: AppFileStore;
  blobs: Blobs;
  sessions: UploadSessions;
  clock: Clock;
  totalSizeBytes: number;
}): AppFiles {
  const { store, blobs, sessions, clock, totalSizeBytes } = options;

  const assertSize = (sizeBytes: number | null): void => {
    if (sizeBytes === null || sizeBytes <= totalSizeBytes) return;
    throw new LannerError('payload_too_large', `The file has ${sizeBytes} bytes; ${totalSizeBytes} are allowed.`);
  };

  return {
    async missing(accountId, hashes) {
      if (hashes.length > mostHashesPerQuestion) {
        throw new LannerError(
          'invalid_argument',
          `${hashes.length} hashes were sent; ask for ${mostHashesPerQuestion} at a time.`,
        );
      }
      for (const hash of hashes) assertAppFileHash(hash);
      const known = await store.useKnown(accountId, hashes, clock.nowMs());
      // The bytes are asked for as well: a blob that was lost is healed by the next deploy.
      for (const hash of known) if (!(await blobs.has(hash))) known.delete(hash);
      return hashes.filter((hash) => !known.has(hash));
    },

    async initiate(accountId, hash, metadata) {
      assertAppFileHash(hash);
      assertSize(parseAppFileMetadata(hash, metadata).sizeBytes);
      return { uploadId: await sessions.begin(accountId) };
    },

    async putPart(accountId, hash, uploadId, partNumber, bytes) {
      assertAppFileHash(hash);
      const { etag } = await sessions.putPart(accountId, uploadId, partNumber, bytes);
      return { etag };
    },

    async complete(accountId, hash, uploadId, parts, metadata) {
      assertAppFileHash(hash);
      const { mode, sizeBytes } = parseAppFileMetadata(hash, metadata);
      assertSize(sizeBytes);
      if (!(await sessions.exists(accountId, uploadId)) && (await store.find(accountId, hash)) !== null) {
        // The answer to an earlier completion was lost on its way.
        return { etag: hash };
      }
      const stored = matchParts(parts, await sessions.parts(accountId, uploadId));
      const totalBytes = stored.reduce((sum, part) => sum + part.sizeBytes, 0);
      if (sizeBytes !== null && sizeBytes !== totalBytes) {
        throw new LannerError(
          'invalid_argument',
          `The parts have ${totalBytes} bytes together, the metadata says ${sizeBytes}. Upload the file again.`,
        );
      }
      assertSize(totalBytes);

      const assertHash = (actual: string): void => {
        if (actual === hash) return;
        throw new LannerError(
          'invalid_argument',
          `The uploaded bytes and mode ${mode} have hash ${actual}, not ${hash}. Upload the file again.`,
        );
      };
      const joinAndVerify = async function* (joined: readonly StoredPart[]): AsyncIterable<Uint8Array> {
        const fileHash = createAppFileHash(mode);
        for (const part of joined) {
          for await (const chunk of sessions.read(accountId, uploadId, part)) {
            fileHash.update(chunk);
            yield chunk;
          }
        }
        // Before the blob is renamed into place, so a wrong one never appears.
        assertHash(fileHash.digest());
      };
      const [first] = stored;
      if (stored.length === 1 && first) {
        // The usual case: the part is the file, and its bytes were hashed when they came.
        const seen = sessions.hashOf(accountId, uploadId, first);
        const fileHash = createAppFileHash(mode, seen ?? undefined);
        if (!seen) for await (const chunk of sessions.read(accountId, uploadId, first)) fileHash.update(chunk);
        assertHash(fileHash.digest());
        await blobs.putFile(hash, sessions.pathOf(accountId, uploadId, first));
      } else {
        await blobs.put(hash, joinAndVerify(stored));
      }
      await store.put({ accountId, hash, mode, sizeBytes: totalBytes, createdAtMs: clock.nowMs() });
      await sessions.end(accountId, uploadId);
      return { etag: hash };
    },

    async cancel(accountId, _hash, uploadId) {
      await sessions.end(accountId, uploadId);
    },

    async modeOf(accountId, hash) {
      return (await store.find(accountId, hash))?.mode ?? null;
    },
  };
}

/** The stored parts that a client names, by number. @throws LannerError `invalid_argument`. */
function matchParts(named: readonly UploadedPart[], stored: StoredPart[]): StoredPart[] {
  if (named.length === 0)
    throw new LannerError('invalid_argument', 'No parts were named. An empty file has one empty part.');
  const matched = named.map(({ partNumber, etag }) => {
    const part = stored.find((candidate) => candidate.partNumber === partNumber && candidate.etag === etag);
    if (part === undefined) {
      throw new LannerError(
        'invalid_argument',
        `Part ${partNumber} with etag "${etag.slice(0, 100)}" was not uploaded.`,
      );
    }
    return part;
  });
  const numbers = new Set(matched.map((part) => part.partNumber));
  if (numbers.size !== named.length) throw new LannerError('invalid_argument', 'A part number was named twice.');
  return matched.toSorted((left, right) => left.partNumber - right.partNumber);
}
