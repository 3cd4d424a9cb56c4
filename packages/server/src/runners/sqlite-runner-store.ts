import type { Database } from '../db/database.ts';
import type { EndedRunner, RunnerStore } from './runner-store.ts';

interface EndedRow {
  runner_id: string;
  account_id: string;
  environment_name: string;
  alias_id: string | null;
  alias_name: string;
  revision_id: string;
  machine_type: string;
  start_reason: string;
  started_at_ms: number;
  ended_at_ms: number;
  end_reason: string;
  was_replaced: number;
}

const columns = `runner_id, account_id, environment_name, alias_id, alias_name, revision_id, machine_type, start_reason,
  started_at_ms, ended_at_ms, end_reason, was_replaced`;

/** Runners in SQLite. */
export function createSqliteRunnerStore(database: Database): RunnerStore {
  return {
    begin: (runner) =>
      database.writeUnhurried((connection) => {
        connection.run(
          `INSERT INTO runners (runner_id, account_id, environment_name, alias_id, alias_name, revision_id, machine_type,
             start_reason, started_at_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (runner_id) DO UPDATE SET ended_at_ms = NULL, end_reason = NULL, was_replaced = 0`,
          runner.runnerId,
          runner.accountId,
          runner.environmentName,
          runner.aliasId,
          runner.aliasName,
          runner.revisionId,
          runner.machineType,
          runner.startReason,
          runner.startedAtMs,
        );
      }),

    end: (runnerId, { endedAtMs, endReason, wasReplaced }) =>
      database.writeUnhurried(
        (connection) =>
          connection.run(
            `UPDATE runners SET ended_at_ms = ?2, end_reason = ?3, was_replaced = ?4
             WHERE runner_id = ?1 AND ended_at_ms IS NULL`,
            runnerId,
            endedAtMs,
            endReason,
            Number(wasReplaced),
          ) === 1,
      ),

    endOthers: (liveRunnerIds, { endedAtMs, endReason }) =>
      database.write((connection) =>
        connection.run(
          `UPDATE runners SET ended_at_ms = ?2, end_reason = ?3
           WHERE ended_at_ms IS NULL AND runner_id NOT IN (SELECT value FROM json_each(?1))`,
          JSON.stringify(liveRunnerIds),
          endedAtMs,
          endReason,
        ),
      ),

    listEnded: (accountId, { aliasName, endedSinceMs, limit }) =>
      database.read((connection) =>
        connection
          .all<EndedRow>(
            `SELECT ${columns} FROM runners
             WHERE account_id = ?1 AND ended_at_ms >= ?2 AND (?3 IS NULL OR alias_name = ?3)
             ORDER BY ended_at_ms DESC, number DESC LIMIT ?4`,
            accountId,
            endedSinceMs,
            aliasName,
            limit,
          )
          .map(toEndedRunner)
          .toReversed(),
      ),

    findEnded: (accountId, runnerId, endedSinceMs) =>
      database.read((connection) => {
        const row = connection.get<EndedRow>(
          `SELECT ${columns} FROM runners WHERE runner_id = ? AND account_id = ? AND ended_at_ms >= ?`,
          runnerId,
          accountId,
          endedSinceMs,
        );
        return row === undefined ? null : toEndedRunner(row);
      }),

    sweep: (endedBeforeMs, keptPerAccount, limit) =>
      database.writeUnhurried((connection) => {
        const old = connection.run(
          'DELETE FROM runners WHERE number IN (SELECT number FROM runners WHERE ended_at_ms < ? LIMIT ?)',
          endedBeforeMs,
          limit,
        );
        // A walk along the index of each account to the first that is too many; that one and all before go. Without CROSS JOIN
        // the planner goes through all runners instead.
        const tooMany = connection.run(
          `DELETE FROM runners WHERE number IN (
             SELECT runners.number FROM accounts
             CROSS JOIN runners AS first ON first.number = (
               SELECT number FROM runners AS latest
               WHERE latest.account_id = accounts.account_id AND latest.ended_at_ms IS NOT NULL
               ORDER BY ended_at_ms DESC, number DESC LIMIT 1 OFFSET ?1)
             CROSS JOIN runners ON runners.account_id = first.account_id
               AND runners.ended_at_ms <= first.ended_at_ms
               AND (runners.ended_at_ms, runners.number) <= (first.ended_at_ms, first.number)
             LIMIT ?2)`,
          keptPerAccount,
          limit - old,
        );
        return old + tooMany;
      }),
  };
}

function toEndedRunner(row: EndedRow): EndedRunner {
  return {
    runnerId: row.runner_id,
    accountId: row.account_id,
    environmentName: row.environment_name,
    aliasId: row.alias_id,
    aliasName: row.alias_name,
    revisionId: row.revision_id,
    machineType: row.machine_type,
    startReason: row.start_reason,
    startedAtMs: row.started_at_ms,
    endedAtMs: row.ended_at_ms,
    endReason: row.end_reason,
    wasReplaced: row.was_replaced === 1,
  };
}
