import type { Clock, Timer } from '@lanner/protocol';

/** During the first minute, when somebody most likely looks on. */
const firstIntervalMs = 5_000;
const laterIntervalMs = 15_000;
const firstMinuteMs = 60_000;

export interface StartupProgressOptions {
  clock: Clock;
  /** Time the app has to become ready. */
  timeoutMs: number;
  /** What it still lacks, as a clause: "nothing listens on port 8080". */
  waitsFor: () => string;
  say: (line: string) => void;
}

/** Says every few seconds what a starting app is waited for, until it is cancelled. An app that is ready soon is silent. */
export function reportStartupProgress({ clock, timeoutMs, waitsFor, say }: StartupProgressOptions): Timer {
  const startedAtMs = clock.monotonicMs();
  const limit = Math.round(timeoutMs / 1000);
  const arm = (): Timer => {
    const isEarly = clock.monotonicMs() - startedAtMs < firstMinuteMs;
    return clock.setTimer(isEarly ? firstIntervalMs : laterIntervalMs, () => {
      const elapsed = Math.round((clock.monotonicMs() - startedAtMs) / 1000);
      say(`Waiting for the app to become ready: ${waitsFor()} (${elapsed} s of ${limit} s).`);
      timer = arm();
    });
  };
  let timer = arm();
  return { cancel: () => timer.cancel() };
}
