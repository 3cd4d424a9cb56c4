import type { Json } from '@lanner/protocol';
import {
  defaultScaleSettings,
  type Alias,
  type AuthMode,
  type CodeSpec,
  type Revision,
  type ScaleSettings,
} from './app-types.ts';
import { toAliasId } from './app-store.ts';

/** Columns of `revisions` as a query of the SQLite store names them. */
export const revisionColumns = `revisions.revision_id, revisions.account_id, revisions.environment_name,
  revisions.alias_name, revisions.code, revisions.settings, revisions.metadata, revisions.source_code,
  revisions.private_logs, revisions.skip_retry_conditions, revisions.retry_config, revisions.created_at_ms`;

export interface RevisionRow {
  revision_id: string;
  account_id: string;
  environment_name: string;
  alias_name: string | null;
  code: string;
  settings: string;
  metadata: string | null;
  source_code: string | null;
  private_logs: number;
  skip_retry_conditions: string;
  retry_config: string | null;
  created_at_ms: number;
}

/** Columns of `aliases`, prefixed where `revisions` has the same name. */
export const aliasColumns = `aliases.account_id, aliases.environment_name AS alias_environment_name,
  aliases.alias_name AS public_name, aliases.revision_id, aliases.auth_mode, aliases.settings AS alias_settings,
  aliases.created_at_ms AS alias_created_at_ms, aliases.updated_at_ms AS alias_updated_at_ms`;

export interface AliasRow {
  account_id: string;
  alias_environment_name: string;
  public_name: string;
  revision_id: string;
  auth_mode: AuthMode;
  alias_settings: string;
  alias_created_at_ms: number;
  alias_updated_at_ms: number;
}

export function toRevision(row: RevisionRow): Revision {
  return {
    revisionId: row.revision_id,
    accountId: row.account_id,
    environmentName: row.environment_name,
    aliasName: row.alias_name,
    createdAtMs: row.created_at_ms,
    code: JSON.parse(row.code) as CodeSpec,
    settings: parseSettings(row.settings),
    metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as { [key: string]: Json }),
    sourceCode: row.source_code,
    privateLogs: row.private_logs === 1,
    skipRetryConditions: JSON.parse(row.skip_retry_conditions) as string[],
    retryConfig: row.retry_config,
  };
}

export function toAlias(row: AliasRow): Alias {
  return {
    aliasId: toAliasId(row.account_id, row.public_name),
    accountId: row.account_id,
    environmentName: row.alias_environment_name,
    aliasName: row.public_name,
    revisionId: row.revision_id,
    authMode: row.auth_mode,
    settings: parseSettings(row.alias_settings),
    createdAtMs: row.alias_created_at_ms,
    updatedAtMs: row.alias_updated_at_ms,
  };
}

/** A row written before a setting existed has its default. */
export function parseSettings(json: string): ScaleSettings {
  return { ...defaultScaleSettings, ...(JSON.parse(json) as Partial<ScaleSettings>) };
}
