import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import { addDelivery } from '../webhooks/add-delivery.ts';
import { listLive } from './sqlite-live-requests.ts';
import type { Claim, EndedRequest, RequestOptions, RequestResult, RequestStore, StoredBody } from './request-store.ts';
import { discardBlob, dropInput } from './sqlite-payload-store.ts';

interface BodyRow {
  body: Uint8Array | null;
  body_blob: string | null;
  body_bytes: number;
}

interface EndedRow extends BodyRow {
  request_id: string;
  account_id: string;
  app_id: string;
  caller_account_id: string | null;
  status: number;
  headers: string;
  error: string | null;
  error_type: string | null;
  runner_id: string | null;
  attempts: number;
  started_at_ms: number | null;
  inference_ms: number | null;
  submitted_at_ms: number;
  ended_at_ms: number;
  payloads: EndedRequest['payloads'];
}

interface LeftRow {
  request_id: string;
  account_id: string;
  caller_account_id: string | null;
  app_id: string;
  lease: string | null;
  attempts: number;
  options: string;
}

const moveToResults = `
  INSERT INTO queue_results (number, request_id, account_id, app_id, caller_account_id, status, headers, body, body_blob,
    body_bytes, error, error_type, runner_id, attempts, started_at_ms, inference_ms, submitted_at_ms, ended_at_ms, payloads)
  SELECT number, request_id, account_id, app_id, caller_account_id, ?, ?, ?, ?, ?, ?, ?, runner_id, attempts,
    started_at_ms, ?, submitted_at_ms, ?, CASE WHEN options ->> '$.discardIo' THEN 'brief' ELSE 'kept' END
  FROM queue_requests WHERE number = ? AND state = ? AND lease IS ?`;

/** Requests in SQLite. Writes of one turn share a commit (db/group-commit.ts). */
export function createSqliteRequestStore(database: Database): RequestStore {
  const end = (
    connection: SqlConnection,
    number: number,
    state: 'waiting' | 'running',
    lease: string | null,
    result: RequestResult,
  ): boolean => {
    const { body } = result;
    const moved = connection.run(
      moveToResults,
      result.status,
      JSON.stringify(result.headers),
      body.bytes,
      body.blob,
      body.sizeBytes,
      result.error,
      result.errorType,
      result.inferenceMs,
      result.endedAtMs,
      number,
      state,
      lease,
    );
    if (moved === 0) return false;
    const left = connection.get<LeftRow>(
      `DELETE FROM queue_requests WHERE number = ?
       RETURNING request_id, account_id, caller_account_id, app_id, lease, attempts, options`,
      number,
    )!;
    if (left.options !== '{}') fulfil(connection, number, left, result.endedAtMs);
    return true;
  };

  const claim = (connection: SqlConnection, number: number, { lease, runnerId, generation, atMs }: Claim): boolean =>
    connection.run(
      `UPDATE queue_requests SET state = 'running', lease = ?, runner_id = ?, generation = ?, started_at_ms = ?,
         attempts = attempts + 1
       WHERE number = ? AND state = 'waiting'`,
      lease,
      runnerId,
      generation,
      atMs,
      number,
    ) === 1;

  /** A write about a running request, whose claim may not have been written. */
  const writeRunning = (
    number: number,
    missing: Claim | undefined,
    operation: (connection: SqlConnection) => boolean,
  ): Promise<boolean> =>
    database.write((connection) => {
      if (missing !== undefined) claim(connection, number, missing);
      return operation(connection);
    });

  return {
    add: (request) =>
      database.write((connection) => {
        const row = connection.get<{ number: number }>(
          `INSERT INTO queue_requests (request_id, account_id, app_id, target_id, caller_account_id, priority, state, attempts,
             not_before_ms, start_deadline_ms, cancel_requested, options, submitted_at_ms)
           VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, 0, ?, 0, ?, ?) RETURNING number`,
          request.requestId,
          request.accountId,
          request.appId,
          request.targetId,
          request.callerAccountId,
          request.priority === 'low' ? 1 : 0,
          request.startDeadlineMs,
          JSON.stringify(request.options),
          request.submittedAtMs,
        )!;
        const { method, path, headers, body } = request.input;
        connection.run(
          'INSERT INTO queue_inputs (number, method, path, headers, body, body_blob, body_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
          row.number,
          method,
          path,
          JSON.stringify(headers),
          body.bytes,
          body.blob,
          body.sizeBytes,
        );
        return row.number;
      }),

    claim: (number, begun) => database.writeUnhurried((connection) => claim(connection, number, begun)),

    requeue: (number, lease, { notBeforeMs, attempts, options }, missing) =>
      writeRunning(
        number,
        missing,
        (connection) =>
          connection.run(
            `UPDATE queue_requests SET state = 'waiting', lease = NULL, not_before_ms = ?, attempts = ?, options = ?
             WHERE number = ? AND state = 'running' AND lease = ?`,
            notBeforeMs,
            attempts,
            JSON.stringify(options),
            number,
            lease,
          ) === 1,
      ),

    finish: (number, lease, result, missing) =>
      writeRunning(number, missing, (connection) => end(connection, number, 'running', lease, result)),

    finishWaiting: (number, result) => database.write((connection) => end(connection, number, 'waiting', null, result)),

    requestCancel: (number, missing) =>
      writeRunning(
        number,
        missing,
        (connection) =>
          connection.run(
            `UPDATE queue_requests SET cancel_requested = 1 WHERE number = ? AND state = 'running'`,
            number,
          ) === 1,
      ),

    readInput: (number) =>
      database.read((connection) => {
        const row = connection.get<BodyRow & { method: string; path: string; headers: string }>(
          'SELECT method, path, headers, body, body_blob, body_bytes FROM queue_inputs WHERE number = ?',
          number,
        );
        if (row === undefined) return null;
        return {
          method: row.method,
          path: row.path,
          headers: JSON.parse(row.headers) as string[],
          body: toBody(row),
        };
      }),

    findEnded: (requestId) =>
      database.read((connection) => {
        const row = connection.get<EndedRow>('SELECT * FROM queue_results WHERE request_id = ?', requestId);
        return row === undefined ? null : toEnded(row);
      }),

    listLive: (afterNumber, limit) => database.read((connection) => listLive(connection, afterNumber, limit)),

    sweep: (endedBeforeMs, limit) =>
      database.write((connection) => {
        // Results are numbered by submission: old ones come first, and a long one in front delays only itself and its like.
        const rows = connection.all<{ number: number }>(
          `SELECT number FROM (SELECT number, ended_at_ms FROM queue_results ORDER BY number LIMIT ?)
           WHERE ended_at_ms < ?`,
          limit,
          endedBeforeMs,
        );
        for (const { number } of rows) {
          discardBlob(connection, 'queue_results', number);
          dropInput(connection, number);
          connection.run('DELETE FROM queue_results WHERE number = ?', number);
        }
        return rows.length;
      }),
  };
}

/** What a caller wanted to happen at the end. */
function fulfil(connection: SqlConnection, number: number, row: LeftRow, endedAtMs: number): void {
  const { webhook, discardIo } = JSON.parse(row.options) as RequestOptions;
  if (discardIo === true) dropInput(connection, number);
  if (webhook === undefined) return;
  addDelivery(connection, {
    requestId: row.request_id,
    accountId: row.caller_account_id ?? row.account_id,
    appId: row.app_id,
    // A retry is another request for the gateway; the first attempt goes by the id of the request.
    gatewayRequestId: row.attempts > 1 && row.lease !== null ? row.lease : row.request_id,
    url: webhook,
    createdAtMs: endedAtMs,
  });
}

const toBody = (row: BodyRow): StoredBody => ({ bytes: row.body, blob: row.body_blob, sizeBytes: row.body_bytes });

function toEnded(row: EndedRow): EndedRequest {
  return {
    requestId: row.request_id,
    accountId: row.account_id,
    appId: row.app_id,
    callerAccountId: row.caller_account_id,
    status: row.status,
    headers: JSON.parse(row.headers) as Record<string, string | string[]>,
    body: toBody(row),
    error: row.error,
    errorType: row.error_type,
    runnerId: row.runner_id,
    attempts: row.attempts,
    startedAtMs: row.started_at_ms,
    inferenceMs: row.inference_ms,
    submittedAtMs: row.submitted_at_ms,
    endedAtMs: row.ended_at_ms,
    payloads: row.payloads,
  };
}
