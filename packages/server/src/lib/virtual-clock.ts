import type { Clock, Timer } from '@lanner/protocol';

interface VirtualTimer {
  dueMs: number;
  order: number;
  callback: () => void;
}

/** A clock that stands still until a test moves it. Timers fire in the order in which they are due. */
export interface VirtualClock extends Clock {
  /** Moves time forward, firing what becomes due and letting promises settle between two timers. */
  advance(durationMs: number): Promise<void>;
  /** Lets everything that is ready to run do so, without moving time. */
  settle(): Promise<void>;
  /** Timers that are armed: zero after a clean stop. */
  readonly pendingTimers: number;
}

/**
 * Time owned by a test, so that minutes of scaling pass in milliseconds.
 * @param startAtMs wall-clock time at which it begins; the monotonic clock begins at 0.
 */
export function createVirtualClock(startAtMs = 1_700_000_000_000): VirtualClock {
  let elapsedMs = 0;
  let order = 0;
  const timers = new Set<VirtualTimer>();

  const nextDue = (untilMs: number): VirtualTimer | undefined => {
    let next: VirtualTimer | undefined;
    for (const timer of timers) {
      if (timer.dueMs > untilMs) continue;
      if (!next || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.order < next.order)) next = timer;
    }
    return next;
  };

  // Several rounds of the event loop: a chain of promises may itself schedule immediates.
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 4; round += 1) await new Promise<void>((resolve) => void setImmediate(resolve));
  };

  const setTimer = (delayMs: number, callback: () => void): Timer => {
    const timer: VirtualTimer = { dueMs: elapsedMs + Math.max(0, delayMs), order: (order += 1), callback };
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  };

  return {
    nowMs: () => startAtMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer,
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const onAbort = (): void => {
          timer.cancel();
          reject(signal!.reason as Error);
        };
        const timer = setTimer(delayMs, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      });
    },
    settle,
    async advance(durationMs) {
      const untilMs = elapsedMs + durationMs;
      await settle();
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        timers.delete(timer);
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        timer.callback();
        await settle();
      }
      elapsedMs = untilMs;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}
