import type { Database } from '../db/database.ts';
import { mainEnvironment } from './alias-name.ts';
import type { EnvironmentStore } from './environment-store.ts';

interface EnvironmentRow {
  name: string;
  description: string | null;
  created_at_ms: number;
}

export function createSqliteEnvironmentStore(database: Database): EnvironmentStore {
  return {
    list: (accountId) =>
      database.read((db) =>
        db
          .all<EnvironmentRow>(
            `SELECT name, description, created_at_ms FROM environments
             WHERE account_id = ? ORDER BY name <> ?, name`,
            accountId,
            mainEnvironment,
          )
          .map((row) => ({
            name: row.name,
            description: row.description,
            isDefault: row.name === mainEnvironment,
            createdAtMs: row.created_at_ms,
          })),
      ),

    insert: (accountId, environment) =>
      database.write((db) => {
        const inserted = db.run(
          `INSERT INTO environments (account_id, name, description, created_at_ms) VALUES (?, ?, ?, ?)
           ON CONFLICT (account_id, name) DO NOTHING`,
          accountId,
          environment.name,
          environment.description,
          environment.createdAtMs,
        );
        return inserted === 1;
      }),

    remove: (accountId, name) =>
      database.write((db) => {
        // Children first: the foreign keys point at the environment, aliases at revisions.
        const names = <Column extends string>(table: string, column: Column): string[] =>
          db
            .all<Record<Column, string>>(
              `DELETE FROM ${table} WHERE account_id = ? AND environment_name = ? RETURNING ${column}`,
              accountId,
              name,
            )
            .map((row) => row[column]);
        const removed = {
          aliasNames: names('aliases', 'alias_name'),
          revisionIds: names('revisions', 'revision_id'),
          secretNames: names('secrets', 'name'),
        };
        const there = db.run('DELETE FROM environments WHERE account_id = ? AND name = ?', accountId, name);
        return there === 1 ? removed : null;
      }),
  };
}
