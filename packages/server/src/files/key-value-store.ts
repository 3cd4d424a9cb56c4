/** Named texts of an account's apps. One suite holds for every engine: key-value-store.conformance.ts. */
export interface KeyValueStore {
  /** Null: there is none, or its time is over. */
  get(place: KeyValuePlace, nowMs: number): Promise<string | null>;
  /** Replaces an older value. */
  set(place: KeyValuePlace, value: string, expiresAtMs: number): Promise<void>;
  /** Idempotent. */
  remove(place: KeyValuePlace): Promise<void>;
  /** Removes up to `limit` whose time is over; resolves with how many. */
  removeExpired(nowMs: number, limit: number): Promise<number>;
}

export interface KeyValuePlace {
  accountId: string;
  databaseName: string;
  keyName: string;
}
