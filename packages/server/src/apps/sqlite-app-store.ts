import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import {
  aliasColumns,
  parseSettings,
  revisionColumns,
  toAlias,
  toRevision,
  type AliasRow,
  type RevisionRow,
} from './app-rows.ts';
import type { AppStore, PointedAlias } from './app-store.ts';
import type { ResolvedApp } from './apps.ts';

type AppRow = AliasRow & RevisionRow & { nickname: string };

const selectApps = `SELECT ${aliasColumns}, ${revisionColumns}, accounts.nickname
  FROM aliases
  JOIN revisions USING (revision_id)
  JOIN accounts ON accounts.account_id = aliases.account_id`;

/** Callable, setup and files of a revision: as long as it is there, their blobs stay. */
const insertRevisionBlobs = `INSERT INTO revision_blobs (blob, revision_number)
  SELECT DISTINCT blob, number FROM (
    SELECT number, json_extract(code, '$.callable.blob') AS blob FROM revisions WHERE revision_id = ?1
    UNION ALL SELECT number, json_extract(code, '$.callable.setup.blob') FROM revisions WHERE revision_id = ?1
    UNION ALL SELECT number, json_extract(file.value, '$.hash') FROM revisions, json_each(code, '$.files') AS file
      WHERE revision_id = ?1
  ) WHERE blob IS NOT NULL`;

const isEnvironment = 'EXISTS (SELECT 1 FROM environments WHERE account_id = ? AND name = ?)';

export function createSqliteAppStore(database: Database): AppStore {
  return {
    insertRevision: (revision) =>
      database.write((db) => {
        const inserted = db.run(
          `INSERT INTO revisions (revision_id, account_id, environment_name, alias_name, code, settings, metadata,
             source_code, private_logs, skip_retry_conditions, retry_config, created_at_ms)
           SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE ${isEnvironment}`,
          revision.revisionId,
          revision.accountId,
          revision.environmentName,
          revision.aliasName,
          JSON.stringify(revision.code),
          JSON.stringify(revision.settings),
          revision.metadata === null ? null : JSON.stringify(revision.metadata),
          revision.sourceCode,
          revision.privateLogs ? 1 : 0,
          JSON.stringify(revision.skipRetryConditions),
          revision.retryConfig,
          revision.createdAtMs,
          revision.accountId,
          revision.environmentName,
        );
        if (inserted === 1) db.run(insertRevisionBlobs, revision.revisionId);
        return inserted === 1;
      }),

    findRevision: (accountId, revisionId) =>
      database.read((db) => {
        const row = db.get<RevisionRow>(
          `SELECT ${revisionColumns} FROM revisions WHERE revision_id = ? AND account_id = ?`,
          revisionId,
          accountId,
        );
        return row === undefined ? null : toRevision(row);
      }),

    listRevisions: (accountId, environmentName, aliasName) =>
      database.read((db) =>
        db
          .all<RevisionRow>(
            `SELECT ${revisionColumns} FROM revisions
             WHERE account_id = ?1 AND environment_name = ?2 AND (?3 IS NULL OR alias_name = ?3)
             ORDER BY number DESC`,
            accountId,
            environmentName,
            aliasName ?? null,
          )
          .map(toRevision),
      ),

    removeRevision: (accountId, revisionId) =>
      database.write((db) => {
        const removed = db.run(
          `DELETE FROM revisions
           WHERE revision_id = ?1 AND account_id = ?2 AND NOT EXISTS (SELECT 1 FROM aliases WHERE revision_id = ?1)`,
          revisionId,
          accountId,
        );
        if (removed === 1) return 'removed';
        const there = db.get('SELECT 1 FROM revisions WHERE revision_id = ? AND account_id = ?', revisionId, accountId);
        return there === undefined ? 'unknown' : 'in_use';
      }),

    pointAlias: (input) =>
      database.write((db): PointedAlias => {
        const { accountId, environmentName, aliasName, revisionId } = input;
        if (db.get(`SELECT 1 WHERE ${isEnvironment}`, accountId, environmentName) === undefined) {
          return { kind: 'unknown_environment' };
        }
        const revision = db.get<{ settings: string }>(
          'SELECT settings FROM revisions WHERE revision_id = ? AND account_id = ? AND environment_name = ?',
          revisionId,
          accountId,
          environmentName,
        );
        if (revision === undefined) return { kind: 'unknown_revision' };
        const current = findSettings(db, accountId, aliasName);
        const settings = input.decideSettings(
          current === undefined ? null : parseSettings(current),
          parseSettings(revision.settings),
        );
        db.run(
          `INSERT INTO aliases (account_id, alias_name, environment_name, revision_id, auth_mode, settings, created_at_ms, updated_at_ms)
           VALUES (?1, ?2, ?3, ?4, coalesce(?5, 'private'), ?6, ?7, ?7)
           ON CONFLICT (account_id, alias_name) DO UPDATE SET
             environment_name = excluded.environment_name,
             revision_id = excluded.revision_id,
             auth_mode = coalesce(?5, auth_mode),
             settings = excluded.settings,
             updated_at_ms = excluded.updated_at_ms`,
          accountId,
          aliasName,
          environmentName,
          revisionId,
          input.authMode ?? null,
          JSON.stringify(settings),
          input.nowMs,
        );
        return { kind: 'pointed', app: findApp(db, accountId, aliasName)! };
      }),

    updateAliasSettings: (input) =>
      database.write((db) => {
        const current = findSettings(db, input.accountId, input.aliasName);
        if (current === undefined) return null;
        db.run(
          'UPDATE aliases SET settings = ?, updated_at_ms = ? WHERE account_id = ? AND alias_name = ?',
          JSON.stringify(input.decideSettings(parseSettings(current))),
          input.nowMs,
          input.accountId,
          input.aliasName,
        );
        return findApp(db, input.accountId, input.aliasName);
      }),

    removeAlias: (accountId, aliasName) =>
      database.write((db) => {
        const row = db.get<{ revision_id: string }>(
          'DELETE FROM aliases WHERE account_id = ? AND alias_name = ? RETURNING revision_id',
          accountId,
          aliasName,
        );
        return row === undefined ? null : { revisionId: row.revision_id };
      }),

    findAlias: (accountId, aliasName) =>
      database.read((db) => {
        const row = db.get<AliasRow>(
          `SELECT ${aliasColumns} FROM aliases WHERE account_id = ? AND alias_name = ?`,
          accountId,
          aliasName,
        );
        return row === undefined ? null : toAlias(row);
      }),

    listAliases: (accountId, environmentName) =>
      database.read((db) =>
        db
          .all<AliasRow>(
            `SELECT ${aliasColumns} FROM aliases WHERE account_id = ? AND environment_name = ? ORDER BY alias_name`,
            accountId,
            environmentName,
          )
          .map(toAlias),
      ),

    findApp: (accountId, aliasName) => database.read((db) => findApp(db, accountId, aliasName)),

    listApps: () => database.read((db) => db.all<AppRow>(`${selectApps} ORDER BY aliases.number`).map(toApp)),
  };
}

function findSettings(db: SqlConnection, accountId: string, aliasName: string): string | undefined {
  return db.get<{ settings: string }>(
    'SELECT settings FROM aliases WHERE account_id = ? AND alias_name = ?',
    accountId,
    aliasName,
  )?.settings;
}

function findApp(db: SqlConnection, accountId: string, aliasName: string): ResolvedApp | null {
  const row = db.get<AppRow>(
    `${selectApps} WHERE aliases.account_id = ? AND aliases.alias_name = ?`,
    accountId,
    aliasName,
  );
  return row === undefined ? null : toApp(row);
}

function toApp(row: AppRow): ResolvedApp {
  return { alias: toAlias(row), revision: toRevision(row), ownerNickname: row.nickname };
}
