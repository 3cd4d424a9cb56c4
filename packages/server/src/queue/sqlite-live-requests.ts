import type { SqlConnection } from '../db/sqlite.ts';
import { LiveRequest, type RequestOrigin } from './live-request.ts';
import type { RequestOptions } from './request-store.ts';

/** Facts that most requests of a page share. */
interface Shared {
  account_id: string;
  app_id: string;
  target_id: string;
  caller_account_id: string | null;
}

interface LiveRow {
  number: number;
  request_id: string;
  priority: number;
  attempts: number;
  not_before_ms: number;
  start_deadline_ms: number | null;
  submitted_at_ms: number;
  /** Null for a request that was never started, has no options and shares the facts of the first one of its page; else JSON. */
  rest: string | null;
}

type Rest = [
  accountId: string,
  appId: string,
  targetId: string,
  callerAccountId: string | null,
  state: LiveRequest['state'],
  lease: string | null,
  runnerId: string | null,
  generation: string | null,
  startedAtMs: number | null,
  cancelRequested: number,
  options: string,
];

const firstShared = `
  SELECT account_id, app_id, target_id, caller_account_id FROM queue_requests WHERE number > ? ORDER BY number LIMIT 1`;

const page = `
  SELECT number, request_id, priority, attempts, not_before_ms, start_deadline_ms, submitted_at_ms,
    CASE WHEN state = 'waiting' AND runner_id IS NULL AND options = '{}' AND cancel_requested = 0 AND account_id = ? AND app_id = ? AND target_id = ?
      AND caller_account_id IS ? THEN NULL
    ELSE json_array(account_id, app_id, target_id, caller_account_id, state, lease, runner_id, generation, started_at_ms,
      cancel_requested, options) END AS rest
  FROM queue_requests WHERE number > ? ORDER BY number LIMIT ?`;

/**
 * Live requests after a number, in order. At a start this may be a million: what they have in common is read once per page and
 * shared in memory.
 */
export function listLive(connection: SqlConnection, afterNumber: number, limit: number): LiveRequest[] {
  const shared = connection.get<Shared>(firstShared, afterNumber);
  if (shared === undefined) return [];
  const { account_id, app_id, target_id, caller_account_id } = shared;
  const origin = { accountId: account_id, appId: app_id, targetId: target_id, callerAccountId: caller_account_id };
  return connection
    .all<LiveRow>(page, account_id, app_id, target_id, caller_account_id, afterNumber, limit)
    .map((row) => toLive(row, origin));
}

function toLive(row: LiveRow, shared: RequestOrigin): LiveRequest {
  const rest = row.rest === null ? null : (JSON.parse(row.rest) as Rest);
  const request = new LiveRequest({
    number: row.number,
    requestId: row.request_id,
    origin:
      rest === null ? shared : { accountId: rest[0], appId: rest[1], targetId: rest[2], callerAccountId: rest[3] },
    priority: row.priority === 1 ? 'low' : 'normal',
    startDeadlineMs: row.start_deadline_ms,
    submittedAtMs: row.submitted_at_ms,
    options: rest === null ? {} : (JSON.parse(rest[10]) as RequestOptions),
  });
  request.attempts = row.attempts;
  request.notBeforeMs = row.not_before_ms;
  if (rest === null) return request;
  const [, , , , state, lease, runnerId, generation, startedAtMs, cancelRequested] = rest;
  return request.restore({
    ...{ state, cancelRequested: cancelRequested === 1 },
    latest: { lease, runnerId, generation, startedAtMs },
  });
}
