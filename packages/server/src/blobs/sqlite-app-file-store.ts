import type { Database } from '../db/database.ts';
import type { AppFileStore } from './app-file-store.ts';

/** Uses within this time are one: a question about files need not become a write each time. */
const useResolutionMs = 60 * 60 * 1000;

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
          `INSERT INTO app_files (account_id, hash, mode, size_bytes, created_at_ms, used_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
           ON CONFLICT (account_id, hash) DO UPDATE SET used_at_ms = excluded.used_at_ms`,
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

    async useKnown(accountId, hashes, nowMs) {
      const asked = JSON.stringify(hashes);
      const rows = await database.read((db) =>
        db.all<{ hash: string; used_at_ms: number }>(
          'SELECT hash, used_at_ms FROM app_files WHERE account_id = ? AND hash IN (SELECT value FROM json_each(?))',
          accountId,
          asked,
        ),
      );
      const staleBeforeMs = nowMs - useResolutionMs;
      if (rows.every((row) => row.used_at_ms >= staleBeforeMs)) return new Set(rows.map((row) => row.hash));
      const used = await database.write((db) =>
        db.all<{ hash: string }>(
          `UPDATE app_files SET used_at_ms = max(used_at_ms, ?)
           WHERE account_id = ? AND hash IN (SELECT value FROM json_each(?)) RETURNING hash`,
          nowMs,
          accountId,
          asked,
        ),
      );
      return new Set(used.map((row) => row.hash));
    },

    removeUnused: (usedBeforeMs, limit) =>
      database.write((db) =>
        db.run(
          `DELETE FROM app_files WHERE (account_id, hash) IN (
             SELECT account_id, hash FROM app_files AS file
             WHERE used_at_ms < ? AND NOT EXISTS (
               SELECT 1 FROM revision_blobs JOIN revisions ON revisions.number = revision_blobs.revision_number
               WHERE revision_blobs.blob = file.hash AND revisions.account_id = file.account_id
             ) LIMIT ?)`,
          usedBeforeMs,
          limit,
        ),
      ),
  };
}
