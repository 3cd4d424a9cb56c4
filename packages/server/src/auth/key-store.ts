/** A key as it is stored: of the secret only the hash. */
export interface StoredKey {
  keyId: string;
  accountId: string;
  /** SHA-256 of the secret. */
  secretHash: Uint8Array;
  description: string;
  preset: string | null;
  permissions: string[];
  /** null: a person's key. */
  runnerId: string | null;
  createdAtMs: number;
}

/** A key together with whose it is: what authentication needs in one read. */
export interface KeyWithOwner extends StoredKey {
  nickname: string;
}

/** What is stored of keys. One suite holds for every engine: store.conformance.ts. */
export interface KeyStore {
  insert(key: StoredKey): Promise<void>;
  findWithOwner(keyId: string): Promise<KeyWithOwner | null>;
  /** Keys of people, oldest first. */
  list(accountId: string): Promise<StoredKey[]>;
  /** Removes a person's key. False when the account has no such key. */
  remove(accountId: string, keyId: string): Promise<boolean>;
  /** Removes the keys of a runner and returns their ids. */
  removeOfRunner(runnerId: string): Promise<string[]>;
  /** Removes the runner keys whose runner is not listed and returns their ids. */
  removeOfOtherRunners(liveRunnerIds: readonly string[]): Promise<string[]>;
}
