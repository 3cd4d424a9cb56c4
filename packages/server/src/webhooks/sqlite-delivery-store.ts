import type { Database } from '../db/database.ts';
import type { Delivery, DeliveryAttempt } from './delivery.ts';
import type { DeliveryStore } from './delivery-store.ts';

interface DeliveryRow {
  number: number;
  request_id: string;
  account_id: string;
  app_id: string;
  gateway_request_id: string;
  url: string;
  receiver: string;
  state: Delivery['state'];
  attempts: number;
  attempts_before: number;
  next_attempt_at_ms: number;
  begun_at_ms: number;
  created_at_ms: number;
  ended_at_ms: number | null;
}

const mostAttemptsListed = 100;
const mostCounted = 100_000;

/** The outbox in SQLite. */
export function createSqliteDeliveryStore(database: Database): DeliveryStore {
  return {
    listReceivers: () =>
      database.read((connection) =>
        connection
          .all<{ receiver: string }>(
            // From one receiver to the next in the index: their backlogs may be long.
            `WITH RECURSIVE step (receiver) AS (
               SELECT min(receiver) FROM webhook_deliveries WHERE state = 'pending'
               UNION ALL
               SELECT (SELECT min(receiver) FROM webhook_deliveries WHERE state = 'pending' AND receiver > step.receiver)
               FROM step WHERE step.receiver IS NOT NULL)
             SELECT receiver FROM step WHERE receiver IS NOT NULL`,
          )
          .map(({ receiver }) => receiver),
      ),

    listDue: (receiver, nowMs, limit) =>
      database.read((connection) =>
        connection
          .all<DeliveryRow>(
            `SELECT * FROM webhook_deliveries WHERE state = 'pending' AND receiver = ? AND next_attempt_at_ms <= ?
             ORDER BY next_attempt_at_ms, number LIMIT ?`,
            receiver,
            nowMs,
            limit,
          )
          .map(toDelivery),
      ),

    nextDueAt: (receiver, afterMs) =>
      database.read(
        (connection) =>
          connection.get<{ atMs: number }>(
            `SELECT next_attempt_at_ms AS atMs FROM webhook_deliveries
             WHERE state = 'pending' AND receiver = ? AND next_attempt_at_ms > ? ORDER BY next_attempt_at_ms LIMIT 1`,
            receiver,
            afterMs,
          )?.atMs ?? null,
      ),

    recordAttempt: (number, attempt, next) =>
      database.write((connection) => {
        const endedAtMs = next.state === 'pending' ? null : attempt.startedAtMs + attempt.durationMs;
        const row = connection.get<{ attempts: number }>(
          `UPDATE webhook_deliveries SET attempts = attempts + 1, state = ?1, ended_at_ms = ?2,
             next_attempt_at_ms = coalesce(?3, next_attempt_at_ms)
           WHERE number = ?4 AND state = 'pending' RETURNING attempts`,
          next.state,
          endedAtMs,
          next.state === 'pending' ? next.nextAttemptAtMs : null,
          number,
        );
        if (row === undefined) return false;
        connection.run(
          `INSERT INTO webhook_attempts (delivery_number, attempt, started_at_ms, duration_ms, status, error)
           VALUES (?, ?, ?, ?, ?, ?)`,
          number,
          row.attempts,
          attempt.startedAtMs,
          attempt.durationMs,
          attempt.status,
          attempt.error,
        );
        return true;
      }),

    replay: (accountId, requestId, nowMs) =>
      database.write((connection) => {
        const row = connection.get<DeliveryRow>(
          `UPDATE webhook_deliveries SET state = 'pending', ended_at_ms = NULL, attempts_before = attempts,
             next_attempt_at_ms = ?1, begun_at_ms = ?1
           WHERE account_id = ?2 AND request_id = ?3 AND state <> 'pending' RETURNING *`,
          nowMs,
          accountId,
          requestId,
        );
        return row === undefined ? null : toDelivery(row);
      }),

    find: (accountId, requestId) =>
      database.read((connection) => {
        const row = connection.get<DeliveryRow>(
          'SELECT * FROM webhook_deliveries WHERE request_id = ? AND account_id = ?',
          requestId,
          accountId,
        );
        return row === undefined ? null : toDelivery(row);
      }),

    list: (accountId, { state, beforeNumber, limit }) =>
      database.read((connection) => {
        const before = beforeNumber ?? Number.MAX_SAFE_INTEGER;
        const rows =
          state === null
            ? connection.all<DeliveryRow>(
                'SELECT * FROM webhook_deliveries WHERE account_id = ? AND number < ? ORDER BY number DESC LIMIT ?',
                accountId,
                before,
                limit,
              )
            : connection.all<DeliveryRow>(
                `SELECT * FROM webhook_deliveries WHERE account_id = ? AND state = ? AND number < ?
                 ORDER BY number DESC LIMIT ?`,
                accountId,
                state,
                before,
                limit,
              );
        return rows.map(toDelivery);
      }),

    listAttempts: (number) =>
      database.read((connection) =>
        connection
          .all<DeliveryAttempt>(
            `SELECT attempt, started_at_ms AS startedAtMs, duration_ms AS durationMs, status, error FROM webhook_attempts
             WHERE delivery_number = ? ORDER BY attempt DESC LIMIT ?`,
            number,
            mostAttemptsListed,
          )
          .map((row) => ({ ...row }))
          .toReversed(),
      ),

    sweep: (endedBeforeMs, limit) =>
      database.write((connection) =>
        connection.run(
          `DELETE FROM webhook_deliveries WHERE number IN
             (SELECT number FROM webhook_deliveries WHERE ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?)`,
          endedBeforeMs,
          limit,
        ),
      ),

    backlog: () =>
      database.read((connection) => {
        const { pending } = connection.get<{ pending: number }>(
          `SELECT count(*) AS pending FROM (SELECT 1 FROM webhook_deliveries WHERE state = 'pending' LIMIT ?)`,
          mostCounted,
        )!;
        const oldest = connection.get<{ atMs: number }>(
          `SELECT created_at_ms AS atMs FROM webhook_deliveries WHERE state = 'pending' ORDER BY number LIMIT 1`,
        );
        return { pending, oldestAtMs: oldest?.atMs ?? null };
      }),
  };
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    number: row.number,
    requestId: row.request_id,
    accountId: row.account_id,
    appId: row.app_id,
    gatewayRequestId: row.gateway_request_id,
    url: row.url,
    receiver: row.receiver,
    state: row.state,
    attempts: row.attempts,
    attemptsBefore: row.attempts_before,
    nextAttemptAtMs: row.next_attempt_at_ms,
    begunAtMs: row.begun_at_ms,
    createdAtMs: row.created_at_ms,
    endedAtMs: row.ended_at_ms,
  };
}
