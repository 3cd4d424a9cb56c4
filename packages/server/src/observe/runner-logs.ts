import type { LogLine } from './log-line.ts';

/** What a runner's log belongs to; kept beside its lines. */
export interface RunnerLogOwner {
  accountId: string;
  appName: string;
  revisionId: string;
}

/** Which lines are asked for: `sinceMs <= atMs <= untilMs`, of one request if it is named, the latest `limit` of them. */
export interface LogRange {
  sinceMs?: number;
  untilMs?: number;
  requestId?: string;
  limit: number;
}

/** True for a line in the range. */
export function isInRange({ atMs, labels }: LogLine, { sinceMs, untilMs, requestId }: LogRange): boolean {
  if (atMs < (sinceMs ?? -Infinity) || atMs > (untilMs ?? Infinity)) return false;
  return requestId === undefined || labels?.['fal_request_id'] === requestId;
}

/** Output of user code: data, not logging. Bounded per runner and in all; oldest lines go first. */
export interface RunnerLogs {
  /** Never blocks and never throws; disk writes are batched. */
  append(runnerId: string, owner: RunnerLogOwner, line: LogLine): void;
  /** The last lines still in memory, oldest first: for error messages. */
  recent(runnerId: string, lineCount: number): LogLine[];
  /** Newest first; what is not in memory any more from disk. Throws `runner_not_found` when the account has no such runner. */
  read(accountId: string, runnerId: string, range: LogRange): Promise<LogLine[]>;
  close(): Promise<void>;
}
