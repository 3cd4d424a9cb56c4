import type { Database } from '../db/database.ts';
import type { AppFileStore } from './app-file-store.ts';

interface AppFileRow {
  account_id: string;
  hash: string;
  mode: number;
  size_bytes: number;
  created_at_ms: number;
}

export function createSqliteAppFileStore(database: Database): AppFileStore {
  return {
    put: (file) =>
      database.write((db) => {
        db.run(
          `INSERT INTO app_files (account_id, hash, mode, size_bytes, created_at_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (account_id, hash) DO NOTHING`,
          file.accountId,
          file.hash,
          file.mode,
          file.sizeBytes,
          file.createdAtMs,
        );
      }),

    find: (accountId, hash) =>
      database.read((db) => {
        const row = db.get<AppFileRow>(
          'SELECT account_id, hash, mode, size_bytes, created_at_ms FROM app_files WHERE account_id = ? AND hash = ?',
          accountId,
          hash,
        );
        if (row === undefined) return null;
        return {
          accountId: row.account_id,
          hash: row.hash,
          mode: row.mode,
          sizeBytes: row.size_bytes,
          createdAtMs: row.created_at_ms,
        };
      }),

    filterKnown: (accountId, hashes) =>
      database.read((db) => {
        const rows = db.all<{ hash: string }>(
          'SELECT hash FROM app_files WHERE account_id = ? AND hash IN (SELECT value FROM json_each(?))',
          accountId,
          JSON.stringify(hashes),
        );
        return new Set(rows.map((row) => row.hash));
      }),
  };
}
