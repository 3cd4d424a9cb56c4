import type { Database } from '../db/database.ts';
import type { StoredWebhookKey, WebhookKeyStore } from './webhook-key-store.ts';

/** Signing keys in SQLite; their private halves sealed (apps/secret-box.ts). */
export function createSqliteWebhookKeyStore(database: Database): WebhookKeyStore {
  return {
    list: () =>
      database.read((connection) =>
        connection
          .all<StoredWebhookKey>(
            `SELECT key_id AS keyId, public_key AS publicKey, sealed_private_key AS sealedPrivateKey,
               created_at_ms AS createdAtMs, signs_from_ms AS signsFromMs, published_until_ms AS publishedUntilMs
             FROM webhook_keys ORDER BY number`,
          )
          .map((row) => ({ ...row })),
      ),

    add: (key, othersUntilMs) =>
      database.write((connection) => {
        if (othersUntilMs !== null) {
          connection.run(
            'UPDATE webhook_keys SET published_until_ms = min(coalesce(published_until_ms, ?1), ?1)',
            othersUntilMs,
          );
        }
        connection.run(
          `INSERT INTO webhook_keys (key_id, public_key, sealed_private_key, created_at_ms, signs_from_ms, published_until_ms)
           VALUES (?, ?, ?, ?, ?, ?)`,
          key.keyId,
          key.publicKey,
          key.sealedPrivateKey,
          key.createdAtMs,
          key.signsFromMs,
          key.publishedUntilMs,
        );
      }),

    removeEnded: (nowMs) =>
      database.write((connection) => connection.run('DELETE FROM webhook_keys WHERE published_until_ms <= ?', nowMs)),
  };
}
