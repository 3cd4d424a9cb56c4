import type { Clock } from '@lanner/protocol';

/** Bytes of log lines a runner may send at once (a burst), and per hour on the long run. */
export const defaultLogBytesPerHour = 64 * 1024 * 1024;

/** Says whether one more line of `bytes` still fits. */
export interface LogBudget {
  take(bytes: number): boolean;
}

/**
 * A budget that refills evenly: full at first, `bytesPerHour` more each hour, never more than that at once. So a runner
 * that prints a gigabyte keeps its first 64 MiB and then about 18 KiB a second.
 */
export function createLogBudget(clock: Clock, bytesPerHour: number = defaultLogBytesPerHour): LogBudget {
  let leftBytes = bytesPerHour;
  let countedAtMs = clock.monotonicMs();
  return {
    take(bytes) {
      const nowMs = clock.monotonicMs();
      leftBytes = Math.min(bytesPerHour, leftBytes + ((nowMs - countedAtMs) / 3_600_000) * bytesPerHour);
      countedAtMs = nowMs;
      if (bytes > leftBytes) return false;
      leftBytes -= bytes;
      return true;
    },
  };
}
