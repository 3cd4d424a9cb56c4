import type { Readable } from 'node:stream';
import type {
  AttemptOrder,
  AttemptSnapshot,
  BuildMessage,
  BuildRequest,
  StartRunnerRequest,
  RunnerSnapshot,
  SessionOrder,
  SupervisorEvent,
  SupervisorStatus,
} from '@lanner/protocol';
import type { RunnerSession } from './runner-session.ts';

/** Where a runner can be reached by the gateway. */
export interface RunnerAddress {
  host: string;
}

/**
 * How runners come to life. Implementations: the supervisor of this machine (processes); later containers and Pods.
 * One conformance suite holds for all of them. Every method may throw `supervisor_unavailable`; the caller's state is
 * then unchanged.
 */
export interface RunnerDriver {
  /** Connects, adopts what already runs, and begins delivering events. */
  start(): Promise<DriverAdoption>;
  /** Leaves running runners alone; only the connection ends. */
  stop(): Promise<void>;
  /** Builds an environment; yields log lines and ends with `done` or `failed`. Breaking out of the loop detaches. */
  build(request: BuildRequest, signal: AbortSignal): AsyncIterable<BuildMessage>;
  /** Starts a runner; resolves once its address is known. Progress arrives as events. */
  startRunner(request: StartRunnerRequest): Promise<RunnerAddress>;
  /** SIGTERM, `graceMs`, SIGKILL. Idempotent; unknown ids are ignored. */
  stopRunner(runnerId: string, graceMs: number): Promise<void>;
  killRunner(runnerId: string): Promise<void>;
  /** The pickled bytes of a finished callable. */
  readResult(runnerId: string): Promise<Uint8Array>;
  /** Lets the driver forget an ended runner's result. */
  forgetResult(runnerId: string): Promise<void>;
  /**
   * Sends a request to the app of a runner; resolves once it is on its way, and whatever becomes of it goes on without us.
   * Its end arrives as `attempt.finished`. The same attempt id again changes nothing. Throws `runner_not_found` when nothing
   * was sent; after `supervisor_unavailable` it may have been.
   */
  startAttempt(runnerId: string, order: AttemptOrder, body: Uint8Array | Readable): Promise<void>;
  /** Running attempts, and finished ones that were not forgotten. */
  listAttempts(): Promise<AttemptSnapshot[]>;
  /** The body of an answer that did not come with its event. */
  readAttempt(attemptId: string): Promise<Readable>;
  /** Lets the driver forget a finished attempt. Idempotent. */
  forgetAttempt(attemptId: string): Promise<void>;
  /** Runs a command beside the app of a runner. What goes wrong is told by reading its output. */
  openSession(runnerId: string, order: SessionOrder): RunnerSession;
  /** Changes when whatever executes attempts was replaced, and every attempt with it is gone; null without any. */
  readonly generation: string | null;
  status(): Promise<SupervisorStatus>;
  /**
   * Events in order, each exactly once after `start`. Returns a function that unsubscribes.
   * @param kept waited for before the events so far are acknowledged, after which no later server gets them again. For a listener
   *   whose work on them does not outlive this process at once.
   */
  onEvent(listener: (event: SupervisorEvent) => void, kept?: () => Promise<void>): () => void;
}

/** What `start` found. */
export interface DriverAdoption {
  /** True when a supervisor that was already running was adopted. */
  adopted: boolean;
  runners: RunnerSnapshot[];
}
