import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { systemClock } from './clock.ts';

describe('the system clock', () => {
  // Timers of the clock do not keep a process alive; something has to while they are waited for.
  let awake: NodeJS.Timeout;
  before(() => (awake = setInterval(() => undefined, 60_000)));
  after(() => clearInterval(awake));

  test('a timer fires once, and a cancelled one never', async () => {
    const fired: string[] = [];
    systemClock.setTimer(0, () => fired.push('cancelled')).cancel();
    systemClock.setTimer(0, () => fired.push('kept'));
    await systemClock.sleep(20);
    assert.deepEqual(fired, ['kept']);
  });

  test('sleep ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const sleeping = systemClock.sleep(60_000, controller.signal);
    controller.abort(new Error('enough'));
    await assert.rejects(sleeping, /enough/);
    await assert.rejects(systemClock.sleep(60_000, controller.signal), /enough/);
  });

  test('a sleep longer than one platform timer does not end at once', async () => {
    const controller = new AbortController();
    let ended = false;
    const sleeping = systemClock.sleep(2 ** 40, controller.signal).then(
      () => (ended = true),
      () => undefined,
    );
    await systemClock.sleep(20);
    assert.equal(ended, false);
    controller.abort();
    await sleeping;
  });

  test('the monotonic clock does not go back', () => {
    const before = systemClock.monotonicMs();
    assert.ok(systemClock.monotonicMs() >= before);
    assert.ok(Math.abs(systemClock.nowMs() - Date.now()) < 5_000);
  });
});
