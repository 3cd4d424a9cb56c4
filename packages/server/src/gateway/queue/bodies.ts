import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { LannerError } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { StoredBody } from '../../queue/request-store.ts';

/** Larger bodies go to the blob store, so that the database stays small. */
const inlineBytes = 64 * 1024;

/**
 * A body for the store: small ones as they are, large ones streamed to a blob named after `key`, which must be unique.
 * @param sizeBytes what is expected; null: unknown.
 * @throws LannerError `internal_error` when less or more came than expected, or what the stream throws.
 */
export async function storeBody(
  blobs: Blobs,
  source: Buffer | Readable,
  sizeBytes: number | null,
  key: string,
): Promise<StoredBody> {
  if (Buffer.isBuffer(source)) {
    if (source.length <= inlineBytes) return { bytes: source, blob: null, sizeBytes: source.length };
    const blob = nameOf(key);
    await blobs.put(blob, source);
    return { bytes: null, blob, sizeBytes: source.length };
  }
  const iterator = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let count = 0;
  while (count <= inlineBytes) {
    const next = await iterator.next();
    if (next.done === true) {
      assertSize(count, sizeBytes);
      return { bytes: Buffer.concat(head), blob: null, sizeBytes: count };
    }
    head.push(next.value);
    count += next.value.length;
  }
  const blob = nameOf(key);
  const all = async function* (): AsyncGenerator<Buffer> {
    yield* head;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      count += next.value.length;
      yield next.value;
    }
  };
  await blobs.put(blob, Readable.from(all(), { objectMode: false }));
  try {
    assertSize(count, sizeBytes);
  } catch (error) {
    await blobs.delete(blob);
    throw error;
  }
  return { bytes: null, blob, sizeBytes: count };
}

/** A stored body to be read. */
export async function openBody(blobs: Blobs, body: StoredBody): Promise<Uint8Array | Readable> {
  if (body.blob !== null) return blobs.open(body.blob);
  return body.bytes ?? new Uint8Array();
}

const nameOf = (key: string): string => createHash('sha256').update(`queue\n${key}`).digest('hex');

function assertSize(count: number, expected: number | null): void {
  if (expected === null || count === expected) return;
  throw new LannerError('internal_error', `A body of ${expected} bytes was expected and ${count} came.`);
}
