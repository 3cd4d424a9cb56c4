import { LannerError } from '@lanner/protocol';
import { backoffMs, noCapacityMs, type HoldCause, type StartObstacles } from './decide.ts';
import type { Runner } from './runner.ts';

/** Pause before an unreachable supervisor is asked again. */
const unavailableMs = 500;
/** Callers wait this many pauses for a supervisor that is being restarted, then they are told. */
const unavailableTries = 20;

/** How the starts of one revision went: what holds back the next one, and what waiting callers are told meanwhile. */
export class StartHistory {
  #failures = { count: 0, lastAtMs: 0 };
  #round = 0;
  #lastError: LannerError | null = null;
  readonly #blocked = new Map<string, number>();
  #unavailable = { untilMs: null as number | null, tries: 0 };

  get obstacles(): StartObstacles {
    return {
      failures: this.#failures,
      blockedMachineTypes: this.#blocked,
      unavailableUntilMs: this.#unavailable.untilMs,
    };
  }

  /** A start begins. */
  begun(runner: Runner): void {
    runner.startRound = this.#round;
  }

  /** One success wakes everything that is held (platform-semantics 3.4). */
  succeeded(runner: Runner): void {
    this.#failures = { count: 0, lastAtMs: 0 };
    this.#lastError = null;
    this.#blocked.delete(runner.identity.machineType);
    this.#unavailable = { untilMs: null, tries: 0 };
  }

  /**
   * A start failed. Runners that were started side by side and fail together are one failure: otherwise a floor of ten
   * would reach the longest backoff at its first mistake.
   */
  failed(runner: Runner, error: LannerError, nowMs: number): void {
    this.#lastError = error;
    const isNewRound = runner.startRound === this.#round;
    if (isNewRound) this.#round += 1;
    this.#failures = { count: this.#failures.count + (isNewRound ? 1 : 0), lastAtMs: nowMs };
  }

  /** No machine of its type is free. */
  foundNoCapacity(runner: Runner, error: LannerError, nowMs: number): void {
    this.#lastError = error;
    this.#blocked.set(runner.identity.machineType, nowMs + noCapacityMs);
  }

  /** The supervisor cannot be reached; it is being reconnected or restarted. */
  foundUnavailable(error: LannerError, nowMs: number): void {
    this.#lastError = error;
    // Several starts refused at the same moment are one try.
    if ((this.#unavailable.untilMs ?? 0) > nowMs) return;
    this.#unavailable = { untilMs: nowMs + unavailableMs, tries: this.#unavailable.tries + 1 };
  }

  /** Another revision: its starts are a new story. */
  reset(): void {
    this.#failures = { count: 0, lastAtMs: 0 };
    this.#round += 1;
    this.#lastError = null;
    this.#blocked.clear();
    this.#unavailable = { untilMs: null, tries: 0 };
  }

  /**
   * What callers are told while no runner can come; null: let them wait a little longer.
   */
  refusal(cause: HoldCause | 'suspended', appName: string, nowMs: number): LannerError | null {
    if (cause === 'suspended') {
      return new LannerError(
        'app_suspended',
        `${appName} is stopped: its max_concurrency is 0. Scale it up to use it.`,
      );
    }
    if (cause === 'unavailable' && this.#unavailable.tries < unavailableTries) return null;
    const error = this.#lastError ?? new LannerError('startup_failed', `No runner of ${appName} can be started.`);
    if (cause !== 'backoff') return error;
    const waitMs = this.#failures.lastAtMs + backoffMs(this.#failures.count) - nowMs;
    return new LannerError(
      error.code,
      `${error.message}\nThe next start is tried by a request that comes in ${Math.ceil(waitMs / 1000)} s or later.`,
      { details: { ...error.details, retryAfterMs: Math.max(0, Math.round(waitMs)) } },
    );
  }
}
