import type { Clock } from '@lanner/protocol';
import type { RunnerView } from './fleet.ts';
import { toRunnerView, type Runner } from './runner.ts';

/** How long an ended runner can be listed (platform-semantics 10: up to 24 h of history). */
const keptMs = 24 * 3600 * 1000;
/** A crash loop must not fill the memory. */
const keptRunners = 2_000;

/** Ended runners for listings: in memory, bounded in number and age. */
export class EndedRunners {
  readonly #clock: Clock;
  #views: (RunnerView & { endedAtMs: number })[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(runner: Runner): void {
    this.#views.push({ ...toRunnerView(runner, null), endedAtMs: runner.endedAtMs ?? this.#clock.nowMs() });
    // Trimmed in halves, so that adding stays cheap.
    if (this.#views.length > keptRunners * 2) this.#views = this.#views.slice(-keptRunners);
  }

  /** Runners of the account that ended at or after the moment, oldest end first. */
  list(accountId: string, endedSinceMs: number): RunnerView[] {
    const fromMs = Math.max(endedSinceMs, this.#clock.nowMs() - keptMs);
    return this.#views.filter((view) => view.accountId === accountId && view.endedAtMs >= fromMs);
  }
}
