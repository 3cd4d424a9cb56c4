import type { Readable } from 'node:stream';

/**
 * Content-addressed bytes. Disk now, S3 later. A blob's name is a lower-case hex SHA-256 chosen by the caller. What nothing
 * refers to is removed after a day: who keeps names of blobs in a table lists its column in sqlite-blob-references.ts.
 */
export interface Blobs {
  has(hash: string): Promise<boolean>;
  /** Streams to disk, then renames into place: readers see all or nothing. A chunk may be reused when the next but one is asked for. */
  put(hash: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Takes over the bytes of a file, without copying where the file system can. The file stays and must not change any more. */
  putFile(hash: string, path: string): Promise<void>;
  /** Hashes the bytes itself (plain SHA-256) and returns the name. Bytes that are there already count as written now. */
  putContent(bytes: Uint8Array): Promise<string>;
  /** @param range first and last byte to read, both included; default all. */
  open(hash: string, range?: { first: number; last: number }): Promise<Readable>;
  delete(hash: string): Promise<void>;
  /** Groups of blobs, for whoever goes through all of them a part at a time. */
  shards(): Promise<string[]>;
  /** Names in one group that were last written or touched before; wall-clock milliseconds. */
  listOlder(shard: string, writtenBeforeMs: number): Promise<string[]>;
  /**
   * Deletes a blob, unless it was written or touched since, or is being written now: whoever stores it again after this has
   * decided finds it missing and writes it anew.
   * @returns whether it was deleted.
   */
  deleteOlder(hash: string, writtenBeforeMs: number): Promise<boolean>;
}
