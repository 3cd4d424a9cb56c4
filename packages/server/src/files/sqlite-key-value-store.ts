import type { Database } from '../db/database.ts';
import type { KeyValueStore } from './key-value-store.ts';

export function createSqliteKeyValueStore(database: Database): KeyValueStore {
  return {
    get: ({ accountId, databaseName, keyName }, nowMs) =>
      database.read(
        (db) =>
          db.get<{ value: string }>(
            `SELECT value FROM key_values
             WHERE account_id = ? AND database_name = ? AND key_name = ? AND expires_at_ms > ?`,
            accountId,
            databaseName,
            keyName,
            nowMs,
          )?.value ?? null,
      ),

    set: ({ accountId, databaseName, keyName }, value, expiresAtMs) =>
      database.write((db) => {
        db.run(
          `INSERT INTO key_values (account_id, database_name, key_name, value, expires_at_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (account_id, database_name, key_name)
           DO UPDATE SET value = excluded.value, expires_at_ms = excluded.expires_at_ms`,
          accountId,
          databaseName,
          keyName,
          value,
          expiresAtMs,
        );
      }),

    remove: ({ accountId, databaseName, keyName }) =>
      database.write((db) => {
        db.run(
          'DELETE FROM key_values WHERE account_id = ? AND database_name = ? AND key_name = ?',
          accountId,
          databaseName,
          keyName,
        );
      }),

    removeExpired: (nowMs, limit) =>
      database.write((db) =>
        db.run(
          `DELETE FROM key_values WHERE number IN
             (SELECT number FROM key_values WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?)`,
          nowMs,
          limit,
        ),
      ),
  };
}
