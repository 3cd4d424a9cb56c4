import type { Clock } from '@lanner/protocol';

/** Something under way that can be told to end. */
export interface LiveCall {
  shutDown(): void;
}

/** The calls that are not over. */
export interface LiveCalls {
  readonly size: number;
  add(call: LiveCall): void;
  delete(call: LiveCall): void;
  /** Waits until all are over, at most `graceMs`, and ends those that are left. */
  drain(graceMs: number): Promise<void>;
}

/** An empty set of calls. */
export function createLiveCalls(clock: Clock): LiveCalls {
  const calls = new Set<LiveCall>();
  let onEmpty: (() => void) | null = null;
  return {
    get size() {
      return calls.size;
    },
    add: (call) => void calls.add(call),
    delete(call) {
      calls.delete(call);
      if (calls.size === 0) onEmpty?.();
    },
    async drain(graceMs) {
      if (calls.size > 0) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(graceMs, resolve);
          onEmpty = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      for (const call of calls) call.shutDown();
    },
  };
}
