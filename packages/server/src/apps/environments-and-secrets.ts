export interface EnvironmentInfo {
  name: string;
  description: string | null;
  isDefault: boolean;
  createdAtMs: number;
}

/** Deployment environments of an account; `main` always exists and cannot be deleted. */
export interface Environments {
  list(accountId: string): Promise<EnvironmentInfo[]>;
  /** Throws `already_exists`, `invalid_argument` (name form). */
  create(accountId: string, name: string, description: string | null): Promise<EnvironmentInfo>;
  /** Deletes its aliases, revisions and secrets with it. Throws `not_found`, `conflict` for main. */
  delete(accountId: string, name: string): Promise<void>;
  /** Throws `not_found` with the names there are. */
  assertExists(accountId: string, name: string): Promise<void>;
}

export interface SecretInfo {
  name: string;
  createdAtMs: number;
  environmentName: string;
  /** null: account default. */
  defaultExposed: boolean | null;
}

/** Secrets: encrypted at rest with a key outside the database; values leave only towards runners. */
export interface Secrets {
  /** `defaultExposed` undefined keeps the present setting. Throws `not_found` (environment), `invalid_argument` (name). */
  set(
    accountId: string,
    environmentName: string,
    name: string,
    value: string,
    defaultExposed: boolean | undefined,
  ): Promise<void>;
  /** Throws `not_found`. */
  unset(accountId: string, environmentName: string, name: string): Promise<void>;
  /** `environmentName` undefined = main. */
  list(accountId: string, environmentName: string): Promise<SecretInfo[]>;
  /** Values for a runner: exactly `names`, or the default-exposed ones when null. Unknown names are skipped. */
  valuesForRunner(accountId: string, environmentName: string, names: string[] | null): Promise<Record<string, string>>;
}
