import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { LannerError, type Clock } from '@lanner/protocol';
import type { Blobs } from '../blobs/blobs.ts';
import { sliceParts, type ByteRange } from './byte-range.ts';
import type { FileLimits } from './file-limits.ts';
import { leavingFree, takeIn, type Incoming } from './intake.ts';
import { decideLifecycle, type Lifecycle } from './lifecycle.ts';
import type { NewObject, ObjectContent, ObjectPart, ObjectStore, StoredObject } from './object-store.ts';

/** What an uploader says about a file. */
export interface UploadFacts {
  accountId: string;
  fileName: string;
  contentType: string;
  lifecycle: Lifecycle;
}

/** A part as its uploader lists it at the end. */
export interface ListedPart {
  partNumber: number;
  /** As it was answered, with quotes or without; null: not checked. */
  etag: string | null;
}

/** The files that callers and runners upload: bytes as blobs, everything else in the store. */
export interface Objects {
  /** A whole file in one go: there is an object, or there is nothing. */
  upload(facts: UploadFacts, incoming: Incoming): Promise<StoredObject>;
  /** Hands out an object whose bytes come later, in one or in parts. Throws `too_many_requests`. */
  open(facts: UploadFacts): Promise<StoredObject>;
  /** The object whatever its state; null when there is none, or its time is over. */
  find(objectId: string): Promise<StoredObject | null>;
  /** Fills an open object. The same bytes again change nothing. Throws `not_found`, `conflict`. */
  putWhole(objectId: string, incoming: Incoming): Promise<StoredObject>;
  /** Throws `not_found`, `conflict` (the object is complete), `invalid_argument`. */
  putPart(objectId: string, partNumber: number, incoming: Incoming): Promise<ObjectPart>;
  /** Makes the listed parts, by number, the bytes of the object. Idempotent. Throws `not_found`, `invalid_argument`. */
  complete(objectId: string, parts: readonly ListedPart[]): Promise<StoredObject>;
  /** Resolves once the object is stored, or null when it is not in time. */
  whenStored(object: StoredObject, signal: AbortSignal): Promise<StoredObject | null>;
  /** The bytes of a stored object, opened as they are needed. */
  read(object: StoredObject, range: ByteRange): Promise<Readable>;
  remove(object: StoredObject): Promise<void>;
}

export interface ObjectsOptions {
  store: ObjectStore;
  blobs: Blobs;
  /** Folder of the blobs, for its free space. */
  folder: string;
  clock: Clock;
  limits: FileLimits;
  /** Knows of blobs that are being written; the sweep leaves them alone. */
  writing: Set<string>;
}

const objectIdForm = /^[A-Za-z0-9_-]{22}$/;

export function createObjects(options: ObjectsOptions): Objects {
  const { store, blobs, clock, limits, writing } = options;
  const waiting = new Map<string, Set<() => void>>();
  let waitingCount = 0;

  const toNewObject = async (facts: UploadFacts): Promise<NewObject> => {
    const lifecycle = decideLifecycle(facts.lifecycle, await store.settings(facts.accountId));
    const nowMs = clock.nowMs();
    return {
      objectId: randomBytes(16).toString('base64url'),
      accountId: facts.accountId,
      fileName: facts.fileName,
      contentType: facts.contentType,
      ...lifecycle,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + limits.openLifetimeMs,
    };
  };

  /** Writes bytes under a name of their own, then lets `commit` make them part of something. */
  const write = async <Result>(
    incoming: Incoming,
    what: string,
    commit: (part: Omit<ObjectPart, 'partNumber'>) => Promise<Result>,
  ): Promise<Result> => {
    const blob = randomBytes(32).toString('hex');
    writing.add(blob);
    try {
      await store.noteLeftover(blob);
      const { sizeBytes, sha256 } = await takeIn(
        leavingFree(incoming, options.folder, limits),
        { bytes: limits.requestBytes, what },
        (bytes) => blobs.put(blob, bytes),
      );
      return await commit({ blob, sizeBytes, etag: sha256 });
    } finally {
      writing.delete(blob);
    }
  };

  const expiryOf = (object: Pick<StoredObject, 'lifetimeMs'>, storedAtMs: number): number | null =>
    object.lifetimeMs === null ? null : storedAtMs + object.lifetimeMs;

  const find = async (objectId: string): Promise<StoredObject | null> => {
    if (!objectIdForm.test(objectId)) return null;
    const object = await store.find(objectId);
    return object === null || (object.expiresAtMs !== null && object.expiresAtMs <= clock.nowMs()) ? null : object;
  };

  const findOrRefuse = async (objectId: string): Promise<StoredObject> => {
    const object = await find(objectId);
    if (object === null) {
      throw new LannerError(
        'not_found',
        'There is no such upload: it was given up, or its file is gone. Begin it again.',
      );
    }
    return object;
  };

  const tellStored = (objectId: string): void => {
    for (const tell of waiting.get(objectId) ?? []) tell();
  };

  return {
    find,

    async upload(facts, incoming) {
      const object = await toNewObject(facts);
      return write(incoming, 'An upload in one request', async (part) => {
        const storedAtMs = clock.nowMs();
        const content: ObjectContent = { sizeBytes: part.sizeBytes, etag: part.etag, storedAtMs };
        const stored = { ...object, expiresAtMs: expiryOf(object, storedAtMs) };
        const number = await store.insertStored(stored, content, { ...part, partNumber: 1 });
        return { ...stored, number, content };
      });
    },

    async open(facts) {
      const openCount = await store.countOpen(facts.accountId);
      if (openCount >= limits.openPerAccount) {
        throw new LannerError(
          'too_many_requests',
          `This account has ${openCount} unfinished uploads, the most there may be. Complete some, or wait until they expire.`,
        );
      }
      const object = await toNewObject(facts);
      return { ...object, number: await store.insert(object), content: null };
    },

    async putWhole(objectId, incoming) {
      const object = await findOrRefuse(objectId);
      return write(incoming, 'An upload in one request', async (part) => {
        const storedAtMs = clock.nowMs();
        const content: ObjectContent = { sizeBytes: part.sizeBytes, etag: part.etag, storedAtMs };
        const expiresAtMs = expiryOf(object, storedAtMs);
        if (await store.putWhole(object.number, { ...part, partNumber: 1 }, content, expiresAtMs)) {
          tellStored(objectId);
          return { ...object, content, expiresAtMs };
        }
        const present = await findOrRefuse(objectId);
        // The answer to an earlier attempt was lost on its way.
        if (present.content?.etag === part.etag) return present;
        throw alreadyComplete();
      });
    },

    async putPart(objectId, partNumber, incoming) {
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > limits.highestPartNumber) {
        throw new LannerError(
          'invalid_argument',
          `A part number is a whole number from 1 to ${limits.highestPartNumber}.`,
        );
      }
      const object = await findOrRefuse(objectId);
      if (object.content !== null) throw alreadyComplete();
      return write(incoming, 'A part', async (bytes) => {
        const part = { ...bytes, partNumber };
        if (await store.putPart(object.number, part, clock.nowMs() + limits.openLifetimeMs)) return part;
        throw alreadyComplete();
      });
    },

    async complete(objectId, listed) {
      const object = await findOrRefuse(objectId);
      if (object.content !== null) return object;
      const parts = matchParts(listed, await store.parts(object.number));
      const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
      if (sizeBytes > limits.objectBytes) {
        throw new LannerError(
          'payload_too_large',
          `A file may have ${limits.objectBytes} bytes; its parts have ${sizeBytes}.`,
        );
      }
      const storedAtMs = clock.nowMs();
      const content: ObjectContent = { sizeBytes, etag: joinEtags(parts), storedAtMs };
      const expiresAtMs = expiryOf(object, storedAtMs);
      const numbers = parts.map((part) => part.partNumber);
      if (!(await store.complete(object.number, numbers, content, expiresAtMs))) return findOrRefuse(objectId);
      tellStored(objectId);
      return { ...object, content, expiresAtMs };
    },

    async whenStored(object, signal) {
      if (object.content !== null) return object;
      if (waitingCount >= limits.waitingReaders) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      const tellers = waiting.get(object.objectId) ?? new Set();
      waiting.set(object.objectId, tellers.add(resolve));
      waitingCount += 1;
      const timer = clock.setTimer(limits.readWaitMs, resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      try {
        // It may have been stored between the question and the listening.
        const present = await find(object.objectId);
        if (present === null || present.content !== null) return present;
        if (!signal.aborted) await promise;
        const later = await find(object.objectId);
        return later?.content === null ? null : later;
      } finally {
        timer.cancel();
        waitingCount -= 1;
        tellers.delete(resolve);
        if (tellers.size === 0) waiting.delete(object.objectId);
      }
    },

    async read(object, range) {
      const slices = sliceParts(await store.parts(object.number), range);
      if (slices.length === 0) return Readable.from([]);
      // Before the answer begins: a file that is not there must not become half an answer.
      const first = await blobs.open(slices[0]!.place.blob, slices[0]!.range);
      if (slices.length === 1) return first;
      return Readable.from(
        (async function* (): AsyncGenerator<Uint8Array> {
          yield* first as AsyncIterable<Uint8Array>;
          for (const slice of slices.slice(1)) {
            yield* (await blobs.open(slice.place.blob, slice.range)) as AsyncIterable<Uint8Array>;
          }
        })(),
        { objectMode: false },
      );
    },

    remove: (object) => store.remove(object.number),
  };
}

/** @throws LannerError `invalid_argument` when a listed part was not uploaded, or is not what was uploaded. */
function matchParts(listed: readonly ListedPart[], stored: readonly ObjectPart[]): ObjectPart[] {
  if (listed.length === 0) throw new LannerError('invalid_argument', 'The list of parts is empty: send at least one.');
  const byNumber = new Map(stored.map((part) => [part.partNumber, part]));
  const wanted = new Map<number, ObjectPart>();
  for (const { partNumber, etag } of listed) {
    const part = byNumber.get(partNumber);
    if (part === undefined) throw new LannerError('invalid_argument', `Part ${partNumber} was not uploaded.`);
    if (etag !== null && bareEtag(etag) !== part.etag) {
      throw new LannerError(
        'invalid_argument',
        `Part ${partNumber} has another ETag than the one listed. Upload it again.`,
      );
    }
    wanted.set(partNumber, part);
  }
  return [...wanted.values()].toSorted((left, right) => left.partNumber - right.partNumber);
}

const bareEtag = (etag: string): string => etag.trim().replace(/^W\//, '').replace(/^"|"$/g, '').toLowerCase();

function joinEtags(parts: readonly ObjectPart[]): string {
  if (parts.length === 1) return parts[0]!.etag;
  const hash = createHash('sha256');
  for (const part of parts) hash.update(Buffer.from(part.etag, 'hex'));
  return `${hash.digest('hex')}-${parts.length}`;
}

function alreadyComplete(): LannerError {
  return new LannerError('conflict', 'This upload is complete; its file does not change any more. Begin another one.');
}
