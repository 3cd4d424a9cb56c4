import { LannerError, type Clock } from '@lanner/protocol';
import type { AddressPool } from './address-pool.ts';

export interface MemoryGuardOptions {
  clock: Clock;
  /** Bytes that programs can still have, and all there are; `os.freemem` and `os.totalmem`. */
  freeBytes(): number;
  totalBytes(): number;
}

const mebibyte = 1024 * 1024;
/** What the machine keeps for itself: a twentieth of its memory, and no more than this. */
const mostReservedBytes = 512 * mebibyte;
/** A runner that has just begun has not taken its memory yet: it counts this much for so long. */
const expectedBytes = 64 * mebibyte;
const settlingMs = 10_000;

/**
 * An address pool that gives no address while the machine is nearly out of memory: a start refused as `no_capacity` is tried
 * again later, and a machine that swaps or kills takes every app down with it.
 */
export function createMemoryGuard(pool: AddressPool, options: MemoryGuardOptions): AddressPool {
  const { clock, freeBytes, totalBytes } = options;
  /** Runners that have just begun: address → moment. */
  const begun = new Map<string, number>();
  return {
    allocate() {
      const nowMs = clock.monotonicMs();
      for (const [address, startedAtMs] of begun) if (nowMs - startedAtMs >= settlingMs) begun.delete(address);
      const reservedBytes = Math.min(mostReservedBytes, totalBytes() / 20);
      const leftBytes = freeBytes() - begun.size * expectedBytes;
      if (leftBytes - expectedBytes < reservedBytes) {
        throw new LannerError(
          'no_capacity',
          `This machine has ${Math.max(0, Math.floor(freeBytes() / mebibyte))} MiB of memory left, and ${begun.size} runners ` +
            'that have just begun; that is too little for another one. Lower the number of runners, or use a larger machine.',
        );
      }
      const address = pool.allocate();
      begun.set(address, nowMs);
      return address;
    },
    release(address) {
      begun.delete(address);
      pool.release(address);
    },
  };
}
