import type { Clock } from '@lanner/protocol';

/** A clock that stands still until it is moved. */
export interface ManualClock extends Clock {
  /** Moves time on and runs what is due, in order. */
  advance(ms: number): void;
}

export function createManualClock(startMs = 1_000_000): ManualClock {
  let nowMs = startMs;
  let timers: { dueMs: number; callback: () => void }[] = [];
  const clock: ManualClock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    setTimer(delayMs, callback) {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.push(timer);
      return {
        cancel() {
          timers = timers.filter((each) => each !== timer);
        },
      };
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const timer = clock.setTimer(delayMs, resolve);
        signal?.addEventListener('abort', () => {
          timer.cancel();
          reject(signal.reason as Error);
        });
      });
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const next = timers.toSorted((left, right) => left.dueMs - right.dueMs)[0];
        if (next === undefined || next.dueMs > endMs) break;
        timers = timers.filter((each) => each !== next);
        nowMs = next.dueMs;
        next.callback();
      }
      nowMs = endMs;
    },
  };
  return clock;
}
