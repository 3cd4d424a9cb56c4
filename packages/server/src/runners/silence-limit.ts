import type { Clock, Timer } from '@lanner/protocol';

/** Ends the wait for somebody who should say something now and then. */
export interface SilenceLimit {
  /** Aborted once nothing was heard for the limit. */
  signal: AbortSignal;
  heard(): void;
  /** Idempotent. */
  stop(): void;
}

/**
 * One timer that looks when it fires, instead of one that is set anew with every word: hearing costs a look at the clock, and an
 * idle server sleeps.
 */
export function createSilenceLimit(clock: Clock, limitMs: number): SilenceLimit {
  const abort = new AbortController();
  let heardAtMs = clock.monotonicMs();
  let timer: Timer;
  const look = (): void => {
    const silentMs = clock.monotonicMs() - heardAtMs;
    if (silentMs >= limitMs) abort.abort(new Error(`nothing was heard for ${Math.round(silentMs / 1000)} s`));
    else timer = clock.setTimer(limitMs - silentMs, look);
  };
  timer = clock.setTimer(limitMs, look);
  return {
    signal: abort.signal,
    heard: () => void (heardAtMs = clock.monotonicMs()),
    stop: () => timer.cancel(),
  };
}
