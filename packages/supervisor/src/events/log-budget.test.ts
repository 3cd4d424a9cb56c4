import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock } from '../testing/manual-clock.ts';
import { createLogBudget } from './log-budget.ts';

describe('the log budget of a runner', () => {
  it('allows a burst, then no more than the rate', () => {
    const clock = createManualClock();
    const budget = createLogBudget(clock, 3600);
    assert.equal(budget.take(3600), true);
    assert.equal(budget.take(1), false);
    clock.advance(10_000);
    assert.equal(budget.take(11), false);
    assert.equal(budget.take(10), true);
  });

  it('never saves up more than one hour', () => {
    const clock = createManualClock();
    const budget = createLogBudget(clock, 3600);
    clock.advance(100 * 3_600_000);
    assert.equal(budget.take(3601), false);
    assert.equal(budget.take(3600), true);
  });
});
