import type { Json } from '@lanner/protocol';
import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import type { WorkflowKind, WorkflowStore, WorkflowSummary } from './workflow-store.ts';

interface WorkflowRow {
  workflow_id: string;
  account_id: string;
  nickname: string;
  kind: WorkflowKind;
  name: string;
  title: string;
  is_public: number;
  version: number;
  created_at_ms: number;
}

const selectSummaries = `
  SELECT workflow_id, account_id, nickname, kind, name, title, is_public, version, workflows.created_at_ms AS created_at_ms
  FROM workflows JOIN accounts USING (account_id)`;

/** Workflows in SQLite. */
export function createSqliteWorkflowStore(database: Database): WorkflowStore {
  return {
    insert: (workflow, most) =>
      database.write((connection) => {
        const { count } = connection.get<{ count: number }>(
          'SELECT count(*) AS count FROM workflows WHERE account_id = ?',
          workflow.accountId,
        )!;
        if (count >= most) return 'full';
        const inserted = connection.run(
          `INSERT INTO workflows (workflow_id, account_id, kind, name, title, is_public, version, created_at_ms, updated_at_ms)
           VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7) ON CONFLICT (account_id, kind, name) DO NOTHING`,
          workflow.workflowId,
          workflow.accountId,
          workflow.kind,
          workflow.name,
          workflow.title,
          Number(workflow.isPublic),
          workflow.createdAtMs,
        );
        if (inserted === 0) return 'taken';
        addVersion(connection, workflow.workflowId, 1, workflow.contents);
        return find(connection, workflow.workflowId)!;
      }),

    update: (workflowId, patch, nowMs) =>
      database.write((connection) => {
        const current = find(connection, workflowId);
        if (current === null) return null;
        const name = patch.name ?? current.name;
        const version = current.version + (patch.contents === undefined ? 0 : 1);
        const updated = connection.run(
          `UPDATE workflows SET name = ?2, title = ?3, is_public = ?4, version = ?5, updated_at_ms = ?6
           WHERE workflow_id = ?1 AND NOT EXISTS (
             SELECT 1 FROM workflows AS other
             WHERE other.account_id = workflows.account_id AND other.kind = workflows.kind AND other.name = ?2
               AND other.workflow_id <> ?1)`,
          workflowId,
          name,
          patch.title ?? current.title,
          Number(patch.isPublic ?? current.isPublic),
          version,
          nowMs,
        );
        if (updated === 0) return 'taken';
        if (patch.contents !== undefined) {
          supersede(connection, workflowId, nowMs);
          addVersion(connection, workflowId, version, patch.contents);
        }
        return find(connection, workflowId);
      }),

    remove: (workflowId, nowMs) =>
      database.write((connection) => {
        supersede(connection, workflowId, nowMs);
        return connection.run('DELETE FROM workflows WHERE workflow_id = ?', workflowId) === 1;
      }),

    listAll: () =>
      database.read((connection) =>
        connection.all<WorkflowRow>(`${selectSummaries} ORDER BY workflows.created_at_ms DESC, name`).map(toSummary),
      ),

    readContents: (workflowId, version) =>
      database.read((connection) => {
        const row = connection.get<{ contents: string }>(
          'SELECT contents FROM workflow_versions WHERE workflow_id = ? AND version = ?',
          workflowId,
          version,
        );
        return row === undefined ? null : (JSON.parse(row.contents) as Json);
      }),

    sweepVersions: (supersededBeforeMs, limit) =>
      database.write((connection) =>
        connection.run(
          `DELETE FROM workflow_versions WHERE (workflow_id, version) IN (
             SELECT workflow_id, version FROM workflow_versions WHERE superseded_at_ms < ? LIMIT ?)`,
          supersededBeforeMs,
          limit,
        ),
      ),
  };
}

function find(connection: SqlConnection, workflowId: string): WorkflowSummary | null {
  const row = connection.get<WorkflowRow>(`${selectSummaries} WHERE workflow_id = ?`, workflowId);
  return row === undefined ? null : toSummary(row);
}

function addVersion(connection: SqlConnection, workflowId: string, version: number, contents: Json): void {
  connection.run(
    'INSERT INTO workflow_versions (workflow_id, version, contents) VALUES (?, ?, ?)',
    workflowId,
    version,
    JSON.stringify(contents),
  );
}

function supersede(connection: SqlConnection, workflowId: string, nowMs: number): void {
  connection.run(
    'UPDATE workflow_versions SET superseded_at_ms = ? WHERE workflow_id = ? AND superseded_at_ms IS NULL',
    nowMs,
    workflowId,
  );
}

function toSummary(row: WorkflowRow): WorkflowSummary {
  return {
    workflowId: row.workflow_id,
    accountId: row.account_id,
    ownerNickname: row.nickname,
    kind: row.kind,
    name: row.name,
    title: row.title,
    isPublic: row.is_public === 1,
    version: row.version,
    createdAtMs: row.created_at_ms,
  };
}
