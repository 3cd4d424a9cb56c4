import type { LogLine } from './log-line.ts';

/** What a runner's log belongs to; kept beside its lines. */
export interface RunnerLogOwner {
  accountId: string;
  appName: string;
  revisionId: string;
}

/** Output of user code: data, not logging. Bounded per runner and in all; oldest lines go first. */
export interface RunnerLogs {
  /** Never blocks and never throws; disk writes are batched. */
  append(runnerId: string, owner: RunnerLogOwner, line: LogLine): void;
  /** The last lines still in memory, oldest first: for error messages. */
  recent(runnerId: string, lineCount: number): LogLine[];
  /** From disk, newest first. Throws `runner_not_found` when the account has no such runner. */
  read(
    accountId: string,
    runnerId: string,
    range: { sinceMs?: number; untilMs?: number; limit: number },
  ): Promise<LogLine[]>;
  close(): Promise<void>;
}
