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
  /** Idempotent: the hash decides everything else. */
  put(file: StoredAppFile): Promise<void>;
  find(accountId: string, hash: string): Promise<StoredAppFile | null>;
  /** Those of `hashes` that the account has. */
  filterKnown(accountId: string, hashes: readonly string[]): Promise<Set<string>>;
}
