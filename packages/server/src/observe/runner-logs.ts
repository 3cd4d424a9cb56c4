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
  /**
   * Never blocks and never throws; disk writes are batched.
   * @param seq number of the event that brought the line; grows within a runner. A line that comes again after a restart, because
   *   its event was not acknowledged, is recognised by it. Null for lines of the platform itself.
   */
  append(runnerId: string, owner: RunnerLogOwner, line: LogLine, seq: number | null): void;
  /** Resolves when the lines so far outlive this process: they are written, or given up with a line in the server's log. */
  written(): Promise<void>;
  /** The last lines still in memory, oldest first: for error messages. */
  recent(runnerId: string, lineCount: number): LogLine[];
  /** Newest first; what is not in memory any more from disk. Throws `runner_not_found` when the account has no such runner. */
  read(accountId: string, runnerId: string, range: LogRange): Promise<LogLine[]>;
  close(): Promise<void>;
}
