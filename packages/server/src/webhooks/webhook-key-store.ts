/** A key as it lies in the database. */
export interface StoredWebhookKey {
  keyId: string;
  /** Member `x` of the JWK: base64url of the 32 bytes. */
  publicKey: string;
  sealedPrivateKey: Uint8Array;
  createdAtMs: number;
  signsFromMs: number;
  /** Null: no end in sight. */
  publishedUntilMs: number | null;
}

/** Keys that webhooks are signed with, at rest. */
export interface WebhookKeyStore {
  /** Oldest first. */
  list(): Promise<StoredWebhookKey[]>;
  /** Adds a key, and in the same transaction ends the publication of those before it, which have no end yet or a later one. */
  add(key: StoredWebhookKey, othersUntilMs: number | null): Promise<void>;
  /** Removes keys whose publication ended. */
  removeEnded(nowMs: number): Promise<number>;
}
