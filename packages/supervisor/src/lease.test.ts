import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLease } from './lease.ts';
import { createManualClock } from './testing/manual-clock.ts';

describe('the lease', () => {
  it('expires once when no server ever comes', () => {
    const clock = createManualClock();
    let expired = 0;
    createLease(clock, 1000, () => (expired += 1));
    clock.advance(999);
    assert.equal(expired, 0);
    clock.advance(5000);
    assert.equal(expired, 1);
  });

  it('does not expire while one of several streams is open', () => {
    const clock = createManualClock();
    let expired = 0;
    const lease = createLease(clock, 1000, () => (expired += 1));
    const first = lease.hold();
    const second = lease.hold();
    first();
    first();
    clock.advance(10_000);
    assert.equal(expired, 0);
    second();
    clock.advance(999);
    const third = lease.hold();
    clock.advance(10_000);
    assert.equal(expired, 0);
    third();
    clock.advance(1000);
    assert.equal(expired, 1);
  });

  it('does not expire after it was stopped', () => {
    const clock = createManualClock();
    let expired = 0;
    const lease = createLease(clock, 1000, () => (expired += 1));
    const release = lease.hold();
    lease.stop();
    release();
    clock.advance(10_000);
    assert.equal(expired, 0);
  });
});
