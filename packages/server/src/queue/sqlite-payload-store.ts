import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import type { PayloadStore } from './payload-store.ts';

/** Input and output in SQLite, and the list of blobs to be removed. */
export function createSqlitePayloadStore(database: Database): PayloadStore {
  return {
    sweepPayloads: ({ keptBeforeMs, briefBeforeMs }, limit) =>
      database.write((connection) => {
        const due = (payloads: 'kept' | 'brief', beforeMs: number, most: number): number[] =>
          connection
            .all<{ number: number }>(
              // One statement each, literally: the partial indexes are found by their text.
              payloads === 'kept'
                ? `SELECT number FROM queue_results WHERE payloads = 'kept' AND ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?`
                : `SELECT number FROM queue_results WHERE payloads = 'brief' AND ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?`,
              beforeMs,
              most,
            )
            .map(({ number }) => number);
        const brief = due('brief', briefBeforeMs, limit);
        const numbers = [...brief, ...due('kept', keptBeforeMs, limit - brief.length)];
        for (const number of numbers) dropPayloads(connection, number);
        return numbers.length;
      }),

    deletePayloads: (accountId, requestId) =>
      database.write((connection) => {
        const row = connection.get<{ number: number }>(
          'SELECT number FROM queue_results WHERE request_id = ? AND coalesce(caller_account_id, account_id) = ?',
          requestId,
          accountId,
        );
        if (row === undefined) return false;
        dropPayloads(connection, row.number);
        return true;
      }),

    listGarbage: (limit) =>
      database.read((connection) =>
        connection.all<{ blob: string }>('SELECT blob FROM queue_garbage LIMIT ?', limit).map(({ blob }) => blob),
      ),

    forgetGarbage: (blobs) =>
      database.write((connection) => {
        for (const blob of blobs) connection.run('DELETE FROM queue_garbage WHERE blob = ?', blob);
      }),
  };
}

function dropPayloads(connection: SqlConnection, number: number): void {
  dropInput(connection, number);
  discardBlob(connection, 'queue_results', number);
  connection.run(
    `UPDATE queue_results SET payloads = 'deleted', body = NULL, body_blob = NULL WHERE number = ?`,
    number,
  );
}

/** Removes what a request was sent with, inside a transaction. */
export function dropInput(connection: SqlConnection, number: number): void {
  discardBlob(connection, 'queue_inputs', number);
  connection.run('DELETE FROM queue_inputs WHERE number = ?', number);
}

/** Notes that the blob of a row is not needed any more; the transaction that calls this removes the row or its name. */
export function discardBlob(connection: SqlConnection, table: 'queue_results' | 'queue_inputs', number: number): void {
  connection.run(
    table === 'queue_results'
      ? 'INSERT OR IGNORE INTO queue_garbage SELECT body_blob FROM queue_results WHERE number = ? AND body_blob IS NOT NULL'
      : 'INSERT OR IGNORE INTO queue_garbage SELECT body_blob FROM queue_inputs WHERE number = ? AND body_blob IS NOT NULL',
    number,
  );
}
