import { createHash } from 'node:crypto';
import { LannerError } from '@lanner/protocol';

/** Loopback addresses, one per live runner, zygote and build. */
export interface AddressPool {
  /**
   * An address nobody has, e.g. `127.83.4.9`.
   * @throws LannerError `no_capacity` when all are taken.
   */
  allocate(): string;
  release(address: string): void;
}

const firstSecondOctet = 32;
const secondOctets = 192;
/** .0 and .255 look like network and broadcast addresses to some programs. */
const lastOctets = 254;
const poolSize = secondOctets * 256 * lastOctets;

/**
 * Addresses from 127.32.0.1 to 127.223.255.254, in turn, so that an address rests long after its release. The first one
 * depends on `seed` alone: two supervisors on one machine begin far from each other.
 * @param seed e.g. the data folder.
 */
export function createAddressPool(seed: string): AddressPool {
  let next = createHash('sha256').update(seed).digest().readUInt32BE(0) % poolSize;
  const taken = new Set<string>();
  return {
    allocate() {
      if (taken.size >= poolSize)
        throw new LannerError('no_capacity', 'All loopback addresses for runners are in use.');
      for (;;) {
        const address = toAddress(next);
        next = (next + 1) % poolSize;
        if (taken.has(address)) continue;
        taken.add(address);
        return address;
      }
    },
    release(address) {
      taken.delete(address);
    },
  };
}

function toAddress(index: number): string {
  const last = 1 + (index % lastOctets);
  const third = Math.floor(index / lastOctets) % 256;
  const second = firstSecondOctet + Math.floor(index / (lastOctets * 256));
  return `127.${second}.${third}.${last}`;
}
