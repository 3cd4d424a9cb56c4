import type { EnvironmentInfo } from './environments-and-secrets.ts';

/** What went with an environment. */
export interface RemovedEnvironment {
  aliasNames: string[];
  revisionIds: string[];
  secretNames: string[];
}

/** What is stored of environments. One suite holds for every engine: store.conformance.ts. */
export interface EnvironmentStore {
  /** `main` first, then by name. */
  list(accountId: string): Promise<EnvironmentInfo[]>;
  /** False when the name is taken. */
  insert(accountId: string, environment: Omit<EnvironmentInfo, 'isDefault'>): Promise<boolean>;
  /** Removes the environment with its aliases, revisions and secrets, all or nothing. null: no such environment. */
  remove(accountId: string, name: string): Promise<RemovedEnvironment | null>;
}
