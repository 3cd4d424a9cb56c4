/** What becomes of the bodies of requests that have ended. Each verb is one transaction over few rows: the writer is never held up. */
export interface PayloadStore {
  /**
   * Deletes input and output of at most `limit` requests that ended before; `briefBeforeMs` is for those whose caller asked not to
   * keep them. Status, error and times stay. Resolves with how many.
   */
  sweepPayloads(before: { keptBeforeMs: number; briefBeforeMs: number }, limit: number): Promise<number>;
  /** The same for one ended request of a caller; for an anonymous caller the app's owner counts. False: there is none. */
  deletePayloads(accountId: string, requestId: string): Promise<boolean>;
  /** Blobs nobody refers to any more, which are still on disk. */
  listGarbage(limit: number): Promise<string[]>;
  /** They are gone. */
  forgetGarbage(blobs: readonly string[]): Promise<void>;
}
