import type { AttemptExecutor } from '../queue/attempt-executor.ts';

/**
 * Something that requests can be sent to: an alias with its active revision, or one ephemeral run. The gateway resolves a
 * path to a target id and asks the dispatcher for a slot.
 */
export interface SlotRequest {
  targetId: string;
  /** Aborted when the caller goes away: a waiting request is then no demand any more. */
  signal: AbortSignal;
  /** Monotonic deadline for getting a slot (`x-fal-request-timeout` or the app's default); null waits as long as a runner can come. */
  startDeadlineMs: number | null;
  /** Prefer a runner that published or served this hint. */
  hint?: string;
  /** Shown in runner listings as a lease. `accountId` null: an anonymous caller. */
  caller?: { requestId: string; accountId: string | null };
}

/**
 * One place on one runner. Three states: `pending` (given, nothing sent), `dispatched`, `released`. Released exactly once,
 * whatever happened.
 */
export interface Slot {
  runnerId: string;
  host: string;
  port: number;
  /** Set when the server executes the attempt itself; then there is no runner, and nothing to connect to. */
  executor?: AttemptExecutor;
  /** How the request ended, for the runner's own fate: see platform-semantics 5.4. */
  release(outcome: SlotOutcome): void;
}

export type SlotOutcome =
  | { kind: 'done'; hints?: string[] }
  /** Connection refused, broken, or truncated answer: the runner is suspect. */
  | { kind: 'connection-failed' }
  /** 500/502/504 from the app: a TCP check decides. */
  | { kind: 'check' }
  /** 503, exceeded request_timeout or `x-fal-stop-runner`: replace the runner. */
  | { kind: 'terminate'; reason: string }
  | { kind: 'abandoned' };

export interface Dispatcher {
  /**
   * A free slot, waiting for one if needed. Throws `start_timeout`, `startup_timeout`, `startup_failed`, `build_failed`,
   * `app_suspended`, `no_capacity`, `shutting_down`, or the signal's reason. Resolves synchronously-fast (one microtask)
   * when a slot is free.
   */
  acquire(request: SlotRequest): Promise<Slot>;
}

/** For work that goes on across a restart of the server. */
export interface SlotReclaimer {
  /**
   * The place that a request already occupies on an adopted runner, so that nobody else is sent there. null when the runner is
   * not ours. To be called before anything else asks for slots.
   */
  reclaim(runnerId: string, caller: SlotRequest['caller']): Slot | null;
}

/** What a public id `owner/name` stands for right now: a deployed alias or an ephemeral run. */
export interface Target {
  /** For an alias its `aliasId`, i.e. `accountId/aliasName`; for a run its run id. */
  targetId: string;
  accountId: string;
  ownerNickname: string;
  name: string;
  authMode: 'private' | 'public' | 'shared';
  requestTimeoutSeconds: number;
  requestStartTimeoutSeconds: number | null;
  /** Set for a workflow: the version that a call made now executes. */
  workflowVersion?: number;
}

/** From memory, no I/O. */
export interface Targets {
  find(ownerNickname: string, name: string): Target | null;
}
