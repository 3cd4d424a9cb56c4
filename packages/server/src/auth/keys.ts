/** What a new key may do: a preset, a list of permission names, or an old scope. */
export type KeyGrant = { preset: string } | { permissions: string[] };

/** A key as listings show it; the secret is never stored in clear. */
export interface KeyInfo {
  keyId: string;
  accountId: string;
  createdAtMs: number;
  description: string;
  /** Preset name, or null for a custom list. `FULL` equals the old scope ADMIN, `API` equals API. */
  preset: string | null;
  permissions: string[];
}

export interface NewKey {
  keyId: string;
  /** Shown once. */
  keySecret: string;
}

export interface Keys {
  /** Throws `invalid_argument` for an unknown preset or permission, naming the known ones. */
  create(accountId: string, grant: KeyGrant, description: string): Promise<NewKey>;
  /** An API-scope key for one runner: hidden from `list`, gone with `revokeRunnerKey`. */
  createRunnerKey(accountId: string, runnerId: string): Promise<NewKey>;
  revokeRunnerKey(runnerId: string): Promise<void>;
  /** Revokes the runner keys whose runner is not in the set: called once after adoption. */
  keepOnlyRunnerKeys(liveRunnerIds: ReadonlySet<string>): Promise<void>;
  list(accountId: string): Promise<KeyInfo[]>;
  /** Throws `not_found`. */
  revoke(accountId: string, keyId: string): Promise<void>;
}
