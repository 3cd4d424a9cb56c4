import type { Alias, AuthMode, Revision, ScaleSettings } from './app-types.ts';
import type { ResolvedApp } from './apps.ts';

/** Outcome of {@link AppStore.pointAlias}. */
export type PointedAlias =
  | { kind: 'pointed'; app: ResolvedApp }
  | { kind: 'unknown_environment' }
  /** The account has no such revision in this environment. */
  | { kind: 'unknown_revision' };

/** What is stored of apps. One suite holds for every engine: store.conformance.ts. Each verb is one transaction. */
export interface AppStore {
  /** False when the account has no such environment. */
  insertRevision(revision: Revision): Promise<boolean>;
  findRevision(accountId: string, revisionId: string): Promise<Revision | null>;
  /** Newest first. */
  listRevisions(accountId: string, environmentName: string, aliasName: string | undefined): Promise<Revision[]>;
  /** Removes a revision that no alias points to. */
  removeRevision(accountId: string, revisionId: string): Promise<'removed' | 'unknown' | 'in_use'>;
  /**
   * Creates or moves an alias. `decideSettings` is pure and is called inside the transaction with what is there; what it
   * throws undoes the transaction and reaches the caller. `authMode` undefined keeps; a new alias is private then.
   */
  pointAlias(input: {
    accountId: string;
    environmentName: string;
    aliasName: string;
    revisionId: string;
    authMode: AuthMode | undefined;
    nowMs: number;
    decideSettings: (current: ScaleSettings | null, revision: ScaleSettings) => ScaleSettings;
  }): Promise<PointedAlias>;
  /** Changes settings; `decideSettings` as above. null: no such alias. */
  updateAliasSettings(input: {
    accountId: string;
    aliasName: string;
    nowMs: number;
    decideSettings: (current: ScaleSettings) => ScaleSettings;
  }): Promise<ResolvedApp | null>;
  /** Returns the revision the alias pointed to; null when there is no such alias. */
  removeAlias(accountId: string, aliasName: string): Promise<{ revisionId: string } | null>;
  findAlias(accountId: string, aliasName: string): Promise<Alias | null>;
  /** By name. */
  listAliases(accountId: string, environmentName: string): Promise<Alias[]>;
  /** One alias with its revision and owner, for the directory. */
  findApp(accountId: string, aliasName: string): Promise<ResolvedApp | null>;
  /** Every alias of every account with its revision and owner: read once at start. */
  listApps(): Promise<ResolvedApp[]>;
}

/** Known before the alias exists and stable over redeploys. */
export function toAliasId(accountId: string, aliasName: string): string {
  return `${accountId}/${aliasName}`;
}
