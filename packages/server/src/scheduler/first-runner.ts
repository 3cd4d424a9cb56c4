import { LannerError, type Clock, type Timer } from '@lanner/protocol';
import type { LogLine } from './fleet.ts';
import type { RunnerLifecycle, RunnerOwner } from './runner-lifecycle.ts';
import type { Runner } from './runner.ts';
import { toStartFailure } from './start-failure.ts';

/** How long a ready runner waits for the alias to be pointed at its revision. */
const unclaimedMs = 60_000;

export interface FirstRunnerDeps {
  clock: Clock;
  lifecycle: RunnerLifecycle;
  recentLogs: (runnerId: string) => LogLine[];
  onLog: (line: LogLine) => void;
  /** It will not be claimed any more. */
  onGone: () => void;
}

/**
 * The first runner of a revision that is not active yet (rolling deploy, platform-semantics 4.1). It belongs to nobody
 * until the alias moves; then its pool claims it, ready, so that the first request is warm.
 */
export class FirstRunner implements RunnerOwner {
  readonly #deps: FirstRunnerDeps;
  readonly #outcome = Promise.withResolvers<{ runnerId: string }>();
  #unclaimedTimer: Timer | null = null;
  #isOver = false;

  constructor(deps: FirstRunnerDeps) {
    this.#deps = deps;
    // Whoever waits hears of it; nobody may be waiting any more.
    this.#outcome.promise.catch(() => undefined);
  }

  /** Resolves when the runner is ready. Throws `rollout_failed`, or the signal's reason after stopping the runner. */
  async wait(runner: Runner, signal: AbortSignal): Promise<{ runnerId: string }> {
    const onAbort = (): void => {
      this.#outcome.reject(signal.reason as Error);
      this.#deps.lifecycle.stop(runner, 'deploy aborted');
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#outcome.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** A pool takes the runner; this object is done with it. */
  claimed(): void {
    this.#isOver = true;
    this.#unclaimedTimer?.cancel();
  }

  /** The server stops: whoever waits is told. */
  fail(error: LannerError): void {
    this.#outcome.reject(error);
    this.#leave();
  }

  onReady(runner: Runner): void {
    this.#outcome.resolve({ runnerId: runner.runnerId });
    this.#unclaimedTimer = this.#deps.clock.setTimer(unclaimedMs, () => {
      this.#deps.lifecycle.stop(runner, 'never claimed by its alias');
    });
  }

  onWithdrawn(): void {
    this.#leave();
  }

  onLog(_runner: Runner, line: LogLine): void {
    if (!this.#isOver) this.#deps.onLog(line);
  }

  onEnded(runner: Runner, end: { launchError: LannerError | null }): void {
    const { appName } = runner.identity;
    const failure = end.launchError ?? toStartFailure(appName, runner.exit!, this.#deps.recentLogs(runner.runnerId));
    this.#outcome.reject(
      new LannerError('rollout_failed', `The new revision of ${appName} was not activated. ${failure.message}`, {
        cause: failure,
        details: { ...failure.details, cause: failure.code },
      }),
    );
    this.#leave();
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unclaimedTimer?.cancel();
    this.#deps.onGone();
  }
}
