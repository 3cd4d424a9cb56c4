import type { Clock } from '@lanner/protocol';

/** Something under way that can be told to end. */
export interface LiveCall {
  shutDown(): void;
  /** A runner's process has ended; for calls that would not notice by themselves. */
  onRunnerGone?(runnerId: string): void;
}

/** The calls that are not over. */
export interface LiveCalls {
  readonly size: number;
  add(call: LiveCall): void;
  /** False when it was not among them. */
  delete(call: LiveCall): boolean;
  onRunnerGone(runnerId: string): void;
  /** Waits until all are over, at most `graceMs`, ends those that are left, and gives these a second to say goodbye. */
  drain(graceMs: number): Promise<void>;
}

/** How long calls may take to end once they are told to: a close frame and its answer. */
const goodbyeMs = 1_000;

/** An empty set of calls. */
export function createLiveCalls(clock: Clock): LiveCalls {
  const calls = new Set<LiveCall>();
  const waiting = new Set<() => void>();

  const empty = (withinMs: number): Promise<void> => {
    if (calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        waiting.delete(finish);
        timer.cancel();
        resolve();
      };
      const timer = clock.setTimer(withinMs, finish);
      waiting.add(finish);
    });
  };

  return {
    get size() {
      return calls.size;
    },
    add: (call) => void calls.add(call),
    delete(call) {
      const wasThere = calls.delete(call);
      if (calls.size === 0) for (const finish of waiting) finish();
      return wasThere;
    },
    onRunnerGone(runnerId) {
      for (const call of calls) call.onRunnerGone?.(runnerId);
    },
    async drain(graceMs) {
      await empty(graceMs);
      for (const call of calls) call.shutDown();
      await empty(goodbyeMs);
    },
  };
}
