import type { CodeSpec } from '../apps/app-types.ts';
import type { LogLine } from '../observe/log-line.ts';
import type { RunnerExit, RunnerResult } from '@lanner/protocol';

export type { LogLine };

export type RunnerState =
  | 'PENDING'
  | 'SETUP'
  | 'IDLE'
  | 'RUNNING'
  | 'DRAINING'
  | 'TERMINATING'
  | 'TERMINATED'
  | 'FAILURE_DELAY';

/** A runner as listings show it. */
export interface RunnerView {
  runnerId: string;
  accountId: string;
  aliasId: string | null;
  aliasName: string;
  revisionId: string;
  state: RunnerState;
  replacement: 'NO_REPLACE' | 'WILL_REPLACE' | 'DID_REPLACE';
  inFlightRequests: number;
  leases: { requestId: string; callerAccountId: string | null; leasedAtMs: number }[];
  /** Milliseconds until idle expiry; null when none is running. */
  expiresInMs: number | null;
  startedAtMs: number;
  endedAtMs: number | null;
  machineType: string;
  /** Why it was started, and ended: need, buffer, floor, cap, idle, rollout, backoff … */
  startReason: string;
  endReason: string | null;
}

/** A run that is attached to one `Run` call. */
export interface EphemeralRun {
  runId: string;
  runnerId: string;
  /** Public name for its URL when it exposes a port, else null. */
  publicName: string | null;
  /** Log lines and, last, the outcome. Ends after the outcome. */
  events(
    signal: AbortSignal,
  ): AsyncIterable<
    | { type: 'log'; line: LogLine }
    | { type: 'outcome'; result: RunnerResult | null; exit: RunnerExit; resultBytes: Uint8Array | null }
  >;
  /** Stops the runner and removes the URL. Idempotent. */
  end(): Promise<void>;
}

/** What the controller asks of the scheduler, beyond slots. */
export interface Fleet {
  /**
   * Starts one runner of the alias's *given* revision beside the present ones and resolves when it is ready (rolling deploy).
   * Throws `rollout_failed` with the reason (and the last log lines) when it cannot become ready. Aborting stops it.
   */
  startFirstRunner(input: {
    accountId: string;
    aliasName: string;
    revisionId: string;
    signal: AbortSignal;
    onLog: (line: LogLine) => void;
  }): Promise<{ runnerId: string }>;
  /** Restart on the same revision: replacements first, or kill at once. Returns once begun. */
  rollout(aliasId: string, force: boolean): Promise<void>;
  startRun(input: {
    accountId: string;
    ownerNickname: string;
    environmentName: string;
    name: string;
    code: CodeSpec;
    authMode: 'private' | 'public' | 'shared';
    settings: {
      maxMultiplexing: number;
      requestTimeoutSeconds: number;
      startupTimeoutSeconds: number;
      machineTypes: string[];
    };
  }): Promise<EphemeralRun>;
  /** Live ones, and starts that are held back. From memory. */
  listRunners(accountId: string, filter: { aliasName?: string }): RunnerView[];
  /** Those, and then the ones that ended at or after the moment: a day ago at most, the latest 2,000. */
  listRunnersSince(accountId: string, filter: { aliasName?: string; endedSinceMs: number }): Promise<RunnerView[]>;
  /** A runner that lives, or ended within the last day; null when the account has none of that id. */
  findRunner(accountId: string, runnerId: string): Promise<RunnerView | null>;
  /** Graceful. Throws `runner_not_found`. */
  stopRunner(accountId: string, runnerId: string, replaceFirst: boolean): Promise<void>;
  /** Throws `runner_not_found`. */
  killRunner(accountId: string, runnerId: string): Promise<void>;
  /**
   * A runner that somebody works in is not let go for being idle. Deploys, rollouts and stops are as ever.
   * @returns what ends it: the idle time then begins anew. Throws `runner_not_found`.
   */
  holdRunner(accountId: string, runnerId: string): () => void;
  /** Runners that an alias has, any live state. */
  countRunners(aliasId: string): number;
  isRolling(aliasId: string): boolean;
}
