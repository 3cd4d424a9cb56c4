import {
  toLannerError,
  type Clock,
  type LannerError,
  type RunnerExit,
  type RunnerResult,
  type RunnerSnapshot,
  type StartRunnerRequest,
  type SupervisorEvent,
  type Timer,
} from '@lanner/protocol';
import type { Logger } from 'pino';
import type { Keys } from '../auth/keys.ts';
import type { RunnerLogs } from '../observe/runner-logs.ts';
import type { RunnerDriver } from '../runners/runner-driver.ts';
import type { LogLine } from './fleet.ts';
import { labelLine } from './line-owner.ts';
import type { RunnerHistory } from './runner-history.ts';
import { Runner, type RunnerIdentity } from './runner.ts';

/** The target a runner works for, as its lifecycle sees it. */
export interface RunnerOwner {
  onReady(runner: Runner): void;
  /**
   * The runner left for good. `launchError`: the driver refused it (`no_capacity`, `supervisor_unavailable` …), so nothing
   * ever ran. `wasPhase`: how far it had come.
   */
  onEnded(runner: Runner, end: { wasPhase: Runner['phase']; launchError: LannerError | null }): void;
  onLog?(runner: Runner, line: LogLine): void;
  onResult?(runner: Runner, result: RunnerResult): void;
  /** The runner is to take no more work. */
  onWithdrawn(runner: Runner): void;
}

export interface LifecycleDeps {
  driver: RunnerDriver;
  keys: Keys;
  clock: Clock;
  log: Logger;
  runnerLogs: RunnerLogs;
  history: Pick<RunnerHistory, 'began' | 'ended'>;
}

/** What must be gathered before a runner can start; rejections end the runner with that error. */
export type PrepareRequest = (identity: RunnerIdentity) => Promise<StartRunnerRequest>;

/** How long to wait before a stop that could not be delivered is tried again. */
const stopRetryMs = 1_000;

interface Entry {
  runner: Runner;
  owner: RunnerOwner;
  drainTimer: Timer | null;
  /** The driver has answered the start. */
  launched: boolean;
}

/**
 * Every runner that lives, and the only place where their phase changes. Turns driver events into calls on the owning
 * target, and stop, drain and kill into calls on the driver. Exactly one `onEnded` per runner.
 */
export class RunnerLifecycle {
  readonly #deps: LifecycleDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #abort = new AbortController();

  constructor(deps: LifecycleDeps) {
    this.#deps = deps;
  }

  get(runnerId: string): Runner | null {
    return this.#entries.get(runnerId)?.runner ?? null;
  }

  ownerOf(runnerId: string): RunnerOwner | null {
    return this.#entries.get(runnerId)?.owner ?? null;
  }

  *all(): Generator<Runner> {
    for (const entry of this.#entries.values()) yield entry.runner;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Hands a new runner to the driver. Returns at once; the owner hears the rest. */
  launch(identity: RunnerIdentity, capacity: number, owner: RunnerOwner, prepare: PrepareRequest): Runner {
    const runner = new Runner(identity, this.#deps.clock.nowMs(), capacity);
    const entry: Entry = { runner, owner, drainTimer: null, launched: false };
    this.#entries.set(identity.runnerId, entry);
    this.#deps.history.began(runner);
    void this.#start(entry, prepare);
    return runner;
  }

  /** Takes over a runner that outlived the previous server. */
  adopt(snapshot: RunnerSnapshot, identity: RunnerIdentity, capacity: number, owner: RunnerOwner): Runner {
    const runner = new Runner(identity, snapshot.startedAtMs, capacity);
    runner.host = snapshot.address;
    // Whether it served anything is not known; assuming so keeps it for the full keep-alive.
    runner.everServed = true;
    runner.hadWork = true;
    this.#entries.set(identity.runnerId, { runner, owner, drainTimer: null, launched: true });
    this.#deps.history.began(runner);
    if (snapshot.phase === 'ready') {
      runner.reportedReady = true;
      runner.readyAtMs = snapshot.readyAtMs ?? snapshot.startedAtMs;
    } else if (snapshot.phase !== 'exited') {
      runner.advance(snapshot.phase);
    }
    this.#becomeReady(this.#entries.get(identity.runnerId)!);
    return runner;
  }

  /** Moves a runner to another owner (from a rolling deploy to its pool). */
  handOver(runner: Runner, owner: RunnerOwner): void {
    const entry = this.#entries.get(runner.runnerId);
    if (entry) entry.owner = owner;
  }

  /** No new work; stops when the last request is done, or after `limitMs`. */
  drain(runner: Runner, reason: string, limitMs: number): void {
    const entry = this.#entries.get(runner.runnerId);
    if (!entry) return;
    if (runner.inFlight === 0) return this.stop(runner, reason);
    if (!runner.advance('draining')) return;
    runner.endReason ??= reason;
    entry.drainTimer = this.#deps.clock.setTimer(limitMs, () => this.stop(runner, reason));
    entry.owner.onWithdrawn(runner);
  }

  /** Call when a slot of the runner came back: the last one ends its draining. */
  afterRelease(runner: Runner): void {
    if (runner.phase === 'draining' && runner.inFlight === 0) this.stop(runner, runner.endReason ?? 'drained');
  }

  /** SIGTERM, grace period, SIGKILL. Idempotent. */
  stop(runner: Runner, reason: string): void {
    this.#end(runner, reason, () => this.#deps.driver.stopRunner(runner.runnerId, runner.identity.graceMs));
  }

  /** SIGKILL now, also for one that is already stopping. */
  kill(runner: Runner, reason: string): void {
    const kill = (): Promise<void> => this.#deps.driver.killRunner(runner.runnerId);
    if (runner.phase === 'stopping') void this.#deliver(runner, kill);
    else this.#end(runner, reason, kill);
  }

  /** One event of the driver; heartbeats and events of runners that are not ours are ignored. */
  handleEvent(event: SupervisorEvent): void {
    if (event.type === 'heartbeat') return;
    const entry = this.#entries.get(event.runnerId);
    if (!entry) return;
    const { runner, owner } = entry;
    switch (event.type) {
      case 'runner.phase':
        if (event.phase === 'ready') {
          runner.reportedReady = true;
          this.#becomeReady(entry);
        } else if (event.phase === 'stopping') {
          // Its own decision (unhealthy, out of its start time): it must get no more work. One that is still starting has
          // none, and counts as starting until its end tells why: else the next start would come before the backoff is known.
          const { isStarting } = runner;
          if (runner.advance('stopping') && !isStarting) this.#withdraw(entry);
        } else {
          runner.advance(event.phase);
        }
        return;
      case 'runner.log': {
        const { atMs, source, level, line, labels, seq } = event;
        this.#appendLog(entry, labelLine(runner, { atMs, source, level, line, ...(labels ? { labels } : {}) }), seq);
        return;
      }
      case 'runner.log-gap':
        this.#appendLog(
          entry,
          {
            ...{ atMs: event.atMs, source: 'bridge', level: 'warning' },
            line: `${event.droppedLines} lines of output were dropped: the runner printed more than its limit.`,
          },
          event.seq,
        );
        return;
      case 'runner.result':
        owner.onResult?.(runner, event.result);
        return;
      case 'attempt.finished':
        // The queue's matter.
        return;
      case 'runner.exited':
        this.#finish(entry, event.exit, null);
        return;
    }
  }

  /** Stops timers and retries; runners are left as they are. */
  close(): void {
    this.#abort.abort(new Error('the scheduler stopped'));
    for (const entry of this.#entries.values()) entry.drainTimer?.cancel();
  }

  async #start(entry: Entry, prepare: PrepareRequest): Promise<void> {
    const { runner } = entry;
    try {
      const request = await prepare(runner.identity);
      // Stopped while it was being prepared: nothing has been started.
      if (!runner.isStarting) return this.#finish(entry, neverStarted, null);
      const { host } = await this.#deps.driver.startRunner(request);
      runner.host = host;
      entry.launched = true;
      runner.advance('starting');
      if (runner.phase === 'stopping') void this.#deliver(runner, () => this.#deps.driver.killRunner(runner.runnerId));
      this.#becomeReady(entry);
    } catch (error) {
      const launchError = toLannerError(error);
      if (launchError.code === 'internal_error') {
        this.#deps.log.error({ err: error, runnerId: runner.runnerId }, 'a runner could not be started');
      }
      this.#finish(entry, { ...neverStarted, message: launchError.message }, launchError);
    }
  }

  #becomeReady(entry: Entry): void {
    const { runner, owner } = entry;
    if (!runner.reportedReady || runner.host === null || !runner.advance('ready')) return;
    runner.readyAtMs ??= this.#deps.clock.nowMs();
    runner.idleSinceMs = this.#deps.clock.monotonicMs();
    owner.onReady(runner);
  }

  #end(runner: Runner, reason: string, call: () => Promise<void>): void {
    const entry = this.#entries.get(runner.runnerId);
    if (!entry || !runner.advance('stopping')) return;
    runner.endReason ??= reason;
    this.#withdraw(entry);
    // A start that is still in the driver's hands is ended when it returns.
    if (entry.launched) void this.#deliver(runner, call);
  }

  #withdraw(entry: Entry): void {
    entry.drainTimer?.cancel();
    entry.drainTimer = null;
    entry.owner.onWithdrawn(entry.runner);
  }

  /** Repeats a call until it arrives, the runner is gone, or we stop. */
  async #deliver(runner: Runner, call: () => Promise<void>): Promise<void> {
    while (this.#entries.has(runner.runnerId) && !this.#abort.signal.aborted) {
      try {
        return await call();
      } catch (error) {
        this.#deps.log.warn({ err: error, runnerId: runner.runnerId }, 'stopping a runner failed and is tried again');
      }
      await this.#deps.clock.sleep(stopRetryMs, this.#abort.signal).catch(() => undefined);
    }
  }

  #appendLog(entry: Entry, line: LogLine, seq: number): void {
    const { accountId, appName, revisionId, runnerId } = entry.runner.identity;
    this.#deps.runnerLogs.append(runnerId, { accountId, appName, revisionId }, line, seq);
    entry.owner.onLog?.(entry.runner, line);
  }

  #finish(entry: Entry, exit: RunnerExit, launchError: LannerError | null): void {
    const { runner } = entry;
    const wasPhase = runner.phase;
    if (!runner.advance('ended')) return;
    entry.drainTimer?.cancel();
    this.#entries.delete(runner.runnerId);
    runner.exit = exit;
    runner.endReason ??= exit.reason;
    runner.endedAtMs = this.#deps.clock.nowMs();
    this.#deps.history.ended(runner);
    this.#deps.keys.revokeRunnerKey(runner.runnerId).catch((error: unknown) => {
      this.#deps.log.error({ err: error, runnerId: runner.runnerId }, 'the key of an ended runner was not revoked');
    });
    entry.owner.onEnded(runner, { wasPhase, launchError });
  }
}

const neverStarted: RunnerExit = { reason: 'stopped', code: null, signal: null, message: 'It was never started.' };
