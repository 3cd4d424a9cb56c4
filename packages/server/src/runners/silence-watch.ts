import type { Clock } from '@lanner/protocol';
import type { Logger } from 'pino';

/** How often an operator is told what to do. */
const reminderMs = 60_000;

/** Counts for how long a living supervisor has not answered. */
export interface SilenceWatch {
  /** It said something. */
  heard(): void;
  /** It was asked in vain. True once that has gone on for longer than anybody should wait. */
  askedInVain(pid: number): boolean;
}

/** @param limitMs after which a supervisor that hangs is given up. */
export function createSilenceWatch(options: { clock: Clock; log: Logger; limitMs: number }): SilenceWatch {
  const { clock, log, limitMs } = options;
  let silentSinceMs: number | null = null;
  let remindedAtMs = Number.NEGATIVE_INFINITY;
  return {
    heard() {
      if (silentSinceMs !== null) log.info({}, 'the supervisor answers again');
      silentSinceMs = null;
      remindedAtMs = Number.NEGATIVE_INFINITY;
    },
    askedInVain(pid) {
      const nowMs = clock.monotonicMs();
      silentSinceMs ??= nowMs;
      const silentMs = nowMs - silentSinceMs;
      if (nowMs - remindedAtMs >= reminderMs) {
        remindedAtMs = nowMs;
        const seconds = Math.round(silentMs / 1000);
        const advice = `Nothing can be started or stopped meanwhile. If it is stuck, end it and its runners with: kill -9 ${pid}`;
        log.error({ pid, seconds, limitSeconds: limitMs / 1000 }, `the supervisor does not answer. ${advice}`);
      }
      return silentMs >= limitMs;
    },
  };
}
