import type { Clock } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { RunnerStore } from './runner-store.ts';

/** What is kept of runners that ended, and listed. */
export const runnerRetention = {
  /** Platform-semantics 10: up to 24 h of history. */
  keptMs: 24 * 60 * 60 * 1000,
  /** The latest: a crash loop must fill neither the disk nor anybody's listing. */
  perAccount: 2_000,
};

const everyMs = 10 * 60_000;
const rowsPerStep = 100;

/** Removes ended runners beyond what is kept, now and every ten minutes, in small steps that nobody notices, until the signal aborts. */
export async function sweepRunners(
  deps: { store: Pick<RunnerStore, 'sweep'>; clock: Clock; log: Pick<Logger, 'warn'> },
  signal: AbortSignal,
): Promise<void> {
  const { store, clock, log } = deps;
  const { keptMs, perAccount } = runnerRetention;
  while (!signal.aborted) {
    try {
      for (let isMore = true; isMore && !signal.aborted;) {
        isMore = (await store.sweep(clock.nowMs() - keptMs, perAccount, rowsPerStep)) === rowsPerStep;
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'runners that ended long ago could not be removed');
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
