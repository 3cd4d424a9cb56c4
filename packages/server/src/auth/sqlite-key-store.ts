import type { Database } from '../db/database.ts';
import type { KeyStore, StoredKey } from './key-store.ts';

interface KeyRow {
  key_id: string;
  account_id: string;
  secret_hash: Uint8Array;
  description: string;
  preset: string | null;
  permissions: string;
  runner_id: string | null;
  created_at_ms: number;
}

const columns = `keys.key_id, keys.account_id, keys.secret_hash, keys.description, keys.preset, keys.permissions,
  keys.runner_id, keys.created_at_ms`;

export function createSqliteKeyStore(database: Database): KeyStore {
  return {
    insert: (key) =>
      database.write((db) => {
        db.run(
          `INSERT INTO keys (key_id, account_id, secret_hash, description, preset, permissions, runner_id, created_at_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          key.keyId,
          key.accountId,
          key.secretHash,
          key.description,
          key.preset,
          JSON.stringify(key.permissions),
          key.runnerId,
          key.createdAtMs,
        );
      }),

    findWithOwner: (keyId) =>
      database.read((db) => {
        const row = db.get<KeyRow & { nickname: string }>(
          `SELECT ${columns}, accounts.nickname FROM keys JOIN accounts USING (account_id) WHERE keys.key_id = ?`,
          keyId,
        );
        return row === undefined ? null : { ...toStoredKey(row), nickname: row.nickname };
      }),

    list: (accountId) =>
      database.read((db) =>
        db
          .all<KeyRow>(
            `SELECT ${columns} FROM keys WHERE account_id = ? AND runner_id IS NULL ORDER BY number`,
            accountId,
          )
          .map(toStoredKey),
      ),

    remove: (accountId, keyId) =>
      database.write(
        (db) =>
          db.run('DELETE FROM keys WHERE account_id = ? AND key_id = ? AND runner_id IS NULL', accountId, keyId) === 1,
      ),

    removeOfRunner: (runnerId) =>
      database.write((db) =>
        db
          .all<{ key_id: string }>('DELETE FROM keys WHERE runner_id = ? RETURNING key_id', runnerId)
          .map((row) => row.key_id),
      ),

    removeOfOtherRunners: (liveRunnerIds) =>
      database.write((db) =>
        db
          .all<{ key_id: string }>(
            `DELETE FROM keys
             WHERE runner_id IS NOT NULL AND runner_id NOT IN (SELECT value FROM json_each(?))
             RETURNING key_id`,
            JSON.stringify(liveRunnerIds),
          )
          .map((row) => row.key_id),
      ),
  };
}

function toStoredKey(row: KeyRow): StoredKey {
  return {
    keyId: row.key_id,
    accountId: row.account_id,
    secretHash: row.secret_hash,
    description: row.description,
    preset: row.preset,
    permissions: JSON.parse(row.permissions) as string[],
    runnerId: row.runner_id,
    createdAtMs: row.created_at_ms,
  };
}
