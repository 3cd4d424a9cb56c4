import type { Clock, Timer } from '@lanner/protocol';

/** A server's claim on this supervisor: at least one open stream of events. */
export interface Lease {
  /** An event stream was opened; call the returned function when it is closed. */
  hold(): () => void;
  /** No more expiry. */
  stop(): void;
}

/**
 * Calls `onExpired` once when nobody has held the lease for `leaseMs`, also when nobody ever did.
 */
export function createLease(clock: Clock, leaseMs: number, onExpired: () => void): Lease {
  let holders = 0;
  let isStopped = false;
  let timer: Timer | undefined;

  const arm = (): void => {
    timer?.cancel();
    if (isStopped || holders > 0) return;
    timer = clock.setTimer(leaseMs, () => {
      if (isStopped || holders > 0) return;
      isStopped = true;
      onExpired();
    });
  };
  arm();

  return {
    hold() {
      let isHeld = true;
      holders += 1;
      timer?.cancel();
      return () => {
        if (!isHeld) return;
        isHeld = false;
        holders -= 1;
        arm();
      };
    },
    stop() {
      isStopped = true;
      timer?.cancel();
    },
  };
}
