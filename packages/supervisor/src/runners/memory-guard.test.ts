import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { createManualClock } from '../testing/manual-clock.ts';
import { createAddressPool } from './address-pool.ts';
import { createMemoryGuard } from './memory-guard.ts';

const mebibyte = 1024 * 1024;

function aGuard(machine: { freeMiB: number; totalMiB: number }) {
  const clock = createManualClock();
  const pool = createMemoryGuard(createAddressPool('test'), {
    clock,
    freeBytes: () => machine.freeMiB * mebibyte,
    totalBytes: () => machine.totalMiB * mebibyte,
  });
  const refuses = (text: RegExp): void =>
    assert.throws(
      () => pool.allocate(),
      (error) => isLannerError(error) && error.code === 'no_capacity' && text.test(error.message),
    );
  return { clock, pool, refuses };
}

describe('the memory guard', () => {
  it('refuses runners while the machine is nearly out of memory, and lets them begin when there is some again', () => {
    const machine = { freeMiB: 300, totalMiB: 16_000 };
    const { pool, refuses } = aGuard(machine);
    refuses(/300 MiB of memory left/);
    machine.freeMiB = 8_000;
    assert.match(pool.allocate(), /^127\./);
  });

  it('counts runners that have just begun, so that a storm of starts ends in time', () => {
    const machine = { freeMiB: 1_152, totalMiB: 24_000 };
    const { clock, pool, refuses } = aGuard(machine);
    for (let count = 0; count < 10; count += 1) pool.allocate();
    refuses(/10 runners that have just begun/);
    clock.advance(10_000);
    pool.allocate();
  });

  it('leaves a small machine a twentieth of its memory', () => {
    const { pool, refuses } = aGuard({ freeMiB: 160, totalMiB: 1_000 });
    const address = pool.allocate();
    refuses(/too little/);
    pool.release(address);
    pool.allocate();
  });
});
