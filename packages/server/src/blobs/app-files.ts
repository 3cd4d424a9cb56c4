import type { Readable } from 'node:stream';

/** What a client says about a file: strings on the wire, `hash` included (rest-api 2.4). */
export interface AppFileMetadata {
  /** Decimal number of bytes. */
  size?: string;
  /** Decimal `st_mode`, file type bits included. */
  mode?: string;
  /** Seconds since the epoch as decimal text; not kept. */
  mtime?: string;
  /** Repeats the hash of the path. */
  hash?: string;
}

/** One part as a client names it on completion. */
export interface UploadedPart {
  partNumber: number;
  etag: string;
}

/**
 * Files of app code, uploaded by content (rest-api 2.4). A hash is SHA-256 over the bytes and the decimal mode. Bytes
 * are stored once for all accounts, but an account sees only what it has uploaded itself.
 */
export interface AppFiles {
  /** Those of `hashes` that the account has not uploaded, in their order. Throws `invalid_argument`. */
  missing(accountId: string, hashes: readonly string[]): Promise<string[]>;
  /** Begins an upload. Throws `invalid_argument`, `payload_too_large`, `too_many_requests` (open uploads). */
  initiate(accountId: string, hash: string, metadata: AppFileMetadata): Promise<{ uploadId: string }>;
  /**
   * Stores one part, replacing an earlier one of that number. `partNumber` counts from 1; a part may be empty.
   * Throws `not_found` (upload), `invalid_argument`, `payload_too_large`.
   */
  putPart(
    accountId: string,
    hash: string,
    uploadId: string,
    partNumber: number,
    bytes: Readable | AsyncIterable<Uint8Array>,
  ): Promise<{ etag: string }>;
  /**
   * Joins the parts, checks the hash and makes the file the account's. Again after success: the same answer.
   * Throws `not_found`, `invalid_argument` (parts, hash), `payload_too_large`.
   */
  complete(
    accountId: string,
    hash: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    metadata: AppFileMetadata,
  ): Promise<{ etag: string }>;
  /** Forgets an upload. Idempotent. */
  cancel(accountId: string, hash: string, uploadId: string): Promise<void>;
  /** The mode of a file that the account may use; null when it has not uploaded it. */
  modeOf(accountId: string, hash: string): Promise<number | null>;
}
