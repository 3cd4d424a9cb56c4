import type { FreeSpaceRule } from './intake.ts';

/** Bounds of uploads. */
export interface FileLimits extends FreeSpaceRule {
  /** One request: a whole file, or one part of it. */
  requestBytes: number;
  /** All parts of a file together. */
  objectBytes: number;
  /** As the S3 protocol has it. */
  highestPartNumber: number;
  /** Uploads that were begun and not ended, of one account. */
  openPerAccount: number;
  /** Time after the last part at which an open upload is given up. */
  openLifetimeMs: number;
  /** How long a reader waits for a file whose upload is still running. */
  readWaitMs: number;
  /** Readers that wait, all told. */
  waitingReaders: number;
}

const gibibyte = 1024 ** 3;
const dayMs = 24 * 60 * 60 * 1000;

export const defaultFileLimits: FileLimits = {
  requestBytes: 5 * gibibyte,
  objectBytes: 50 * gibibyte,
  highestPartNumber: 10_000,
  openPerAccount: 10_000,
  openLifetimeMs: 7 * dayMs,
  readWaitMs: 20_000,
  waitingReaders: 1_000,
  // The database must be able to write.
  reservedBytes: 256 * 1024 ** 2,
  reservedPart: 1 / 20,
};
