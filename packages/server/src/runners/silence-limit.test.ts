import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createSilenceLimit } from './silence-limit.ts';

it('a silence is ended at its limit, counted from the last word, and leaves no timer', async () => {
  const clock = createVirtualClock();
  const limit = createSilenceLimit(clock, 1_000);
  await clock.advance(900);
  limit.heard();
  await clock.advance(999);
  assert.equal(limit.signal.aborted, false);
  await clock.advance(1);
  assert.equal(limit.signal.aborted, true);
  assert.equal(clock.pendingTimers, 0);
  const other = createSilenceLimit(clock, 1_000);
  other.stop();
  assert.equal(clock.pendingTimers, 0);
});
