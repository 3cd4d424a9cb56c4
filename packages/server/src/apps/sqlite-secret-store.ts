import type { Database } from '../db/database.ts';
import type { SecretStore, StoredSecret } from './secret-store.ts';

interface SecretRow {
  account_id: string;
  environment_name: string;
  name: string;
  sealed_value: Uint8Array;
  default_exposed: number | null;
  created_at_ms: number;
}

const columns = 'account_id, environment_name, name, sealed_value, default_exposed, created_at_ms';

export function createSqliteSecretStore(database: Database): SecretStore {
  return {
    put: (secret, nowMs) =>
      database.write((db) => {
        const written = db.run(
          `INSERT INTO secrets (account_id, environment_name, name, sealed_value, default_exposed, created_at_ms, updated_at_ms)
           SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM environments WHERE account_id = ?1 AND name = ?2)
           ON CONFLICT (account_id, environment_name, name) DO UPDATE SET
             sealed_value = excluded.sealed_value,
             default_exposed = coalesce(excluded.default_exposed, default_exposed),
             updated_at_ms = excluded.updated_at_ms`,
          secret.accountId,
          secret.environmentName,
          secret.name,
          secret.sealedValue,
          secret.defaultExposed === undefined ? null : Number(secret.defaultExposed),
          secret.createdAtMs,
          nowMs,
        );
        return written === 1;
      }),

    remove: (accountId, environmentName, name) =>
      database.write(
        (db) =>
          db.run(
            'DELETE FROM secrets WHERE account_id = ? AND environment_name = ? AND name = ?',
            accountId,
            environmentName,
            name,
          ) === 1,
      ),

    list: (accountId, environmentName) =>
      database.read((db) =>
        db
          .all<Omit<SecretRow, 'sealed_value'>>(
            `SELECT account_id, environment_name, name, default_exposed, created_at_ms FROM secrets
             WHERE account_id = ? AND environment_name = ? ORDER BY name`,
            accountId,
            environmentName,
          )
          .map(toInfo),
      ),

    findSealed: (accountId, environmentName, names) =>
      database.read((db) =>
        db
          .all<SecretRow>(
            `SELECT ${columns} FROM secrets
             WHERE account_id = ?1 AND environment_name = ?2
               AND CASE WHEN ?3 IS NULL THEN coalesce(default_exposed, 1) = 1 ELSE name IN (SELECT value FROM json_each(?3)) END
             ORDER BY name`,
            accountId,
            environmentName,
            names === null ? null : JSON.stringify(names),
          )
          .map(toStored),
      ),
  };
}

function toInfo(row: Omit<SecretRow, 'sealed_value'>): Omit<StoredSecret, 'sealedValue' | 'accountId'> {
  return {
    name: row.name,
    createdAtMs: row.created_at_ms,
    environmentName: row.environment_name,
    defaultExposed: row.default_exposed === null ? null : row.default_exposed === 1,
  };
}

function toStored(row: SecretRow): StoredSecret {
  return { ...toInfo(row), accountId: row.account_id, sealedValue: row.sealed_value };
}
