import type { Alias, AuthMode, CodeSpec, Revision, ScaleSettings } from './app-types.ts';
import type { Json } from '@lanner/protocol';

export interface NewRevision {
  accountId: string;
  environmentName: string;
  aliasName: string | null;
  code: CodeSpec;
  /** Only what the code gave; the rest is filled with server defaults. */
  settings: Partial<ScaleSettings>;
  metadata: { [key: string]: Json } | null;
  sourceCode: string | null;
  privateLogs: boolean;
  skipRetryConditions: string[];
  retryConfig: string | null;
}

/** A change of settings; absent = unchanged. */
export type SettingsPatch = Partial<ScaleSettings>;

/** An alias together with the revision it points to and its owner's nickname: all the gateway needs. */
export interface ResolvedApp {
  alias: Alias;
  revision: Revision;
  ownerNickname: string;
}

/** Revisions and aliases of all accounts. Every method that changes something publishes on the change feed. */
export interface Apps {
  /** Stores a revision without pointing an alias at it. Throws `invalid_argument` (limits, machine types, min > max). */
  addRevision(input: NewRevision): Promise<Revision>;
  /**
   * Points an alias at a revision, creating the alias when missing. On an existing alias the tunable settings stay unless
   * `resetScale`; the code settings come from the revision. `authMode` undefined keeps (new alias: private).
   * Throws `revision_not_found`, `not_found` (environment).
   */
  pointAlias(input: {
    accountId: string;
    environmentName: string;
    aliasName: string;
    revisionId: string;
    authMode: AuthMode | undefined;
    resetScale: boolean;
  }): Promise<Alias>;
  /** Throws `app_not_found`, `invalid_argument`. */
  updateSettings(accountId: string, aliasName: string, patch: SettingsPatch): Promise<Alias>;
  /** Returns the revision it pointed to. Throws `app_not_found`. */
  deleteAlias(accountId: string, aliasName: string): Promise<{ revisionId: string; aliasId: string }>;
  /** Throws `revision_not_found`, `conflict` while an alias points to it. */
  deleteRevision(accountId: string, revisionId: string): Promise<void>;
  getRevision(accountId: string, revisionId: string): Promise<Revision | null>;
  getAlias(accountId: string, aliasName: string): Promise<Alias | null>;
  listAliases(accountId: string, environmentName: string): Promise<Alias[]>;
  /** Newest first. `aliasName` filters. */
  listRevisions(accountId: string, environmentName: string, aliasName: string | undefined): Promise<Revision[]>;
  /** From memory, no I/O: the sync path of the gateway. null when unknown. */
  resolve(ownerNickname: string, aliasName: string): ResolvedApp | null;
  /** Every alias, from memory: what the scheduler keeps running. */
  all(): ResolvedApp[];
}
