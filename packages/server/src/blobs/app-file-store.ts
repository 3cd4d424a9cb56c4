/** A file that an account has uploaded. */
export interface StoredAppFile {
  accountId: string;
  hash: string;
  /** st_mode, e.g. 0o100644. */
  mode: number;
  sizeBytes: number;
  createdAtMs: number;
}

/** What is stored of app files. One suite holds for every engine: store.conformance.ts. */
export interface AppFileStore {
  /** The hash decides everything else; again, it counts as used now (`createdAtMs`). */
  put(file: StoredAppFile): Promise<void>;
  find(accountId: string, hash: string): Promise<StoredAppFile | null>;
  /** Those of `hashes` that the account has. They count as used now, to within an hour. */
  useKnown(accountId: string, hashes: readonly string[], nowMs: number): Promise<Set<string>>;
  /**
   * Forgets at most `limit` files that were last used before and that no revision of their account needs; their bytes are
   * left for whoever removes blobs. Resolves with how many.
   */
  removeUnused(usedBeforeMs: number, limit: number): Promise<number>;
}
