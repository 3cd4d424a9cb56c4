import type { SecretInfo } from './environments-and-secrets.ts';

/** A secret as it is stored; the store never sees a value in clear. */
export interface StoredSecret extends SecretInfo {
  accountId: string;
  sealedValue: Uint8Array;
}

/** What is stored of secrets. One suite holds for every engine: store.conformance.ts. */
export interface SecretStore {
  /** Inserts or replaces; `defaultExposed` undefined keeps what is there. False: no such environment. */
  put(
    secret: Omit<StoredSecret, 'defaultExposed'> & { defaultExposed: boolean | undefined },
    nowMs: number,
  ): Promise<boolean>;
  /** False: no such secret. */
  remove(accountId: string, environmentName: string, name: string): Promise<boolean>;
  /** By name. */
  list(accountId: string, environmentName: string): Promise<SecretInfo[]>;
  /** Exactly `names`, or the ones exposed by default when null; by name. */
  findSealed(accountId: string, environmentName: string, names: readonly string[] | null): Promise<StoredSecret[]>;
}
