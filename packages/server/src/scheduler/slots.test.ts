import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Slot } from './dispatcher.ts';
import { testAccount, track } from './testing/scheduler-harness.ts';
import { codeOf, harness, restartWith, slotOf, useScheduler } from './testing/use-scheduler.ts';

useScheduler();

describe('waiting', () => {
  it('ends with start_timeout at the deadline, leaving no timer behind', async () => {
    harness.deploy('hello');
    harness.driver.script = () => ({ readyAfterMs: 60_000 });
    const call = track(harness.scheduler.acquire(harness.request('hello', { startDeadlineMs: 5_000 })));
    await harness.clock.advance(4_999);
    assert.equal(call.isSettled, false);
    await harness.clock.advance(1);
    assert.equal(codeOf(call.error), 'start_timeout');
  });

  it('ends with start_timeout at once when the deadline has passed and nothing is free', async () => {
    harness.deploy('hello');
    await harness.clock.advance(10);
    await assert.rejects(harness.scheduler.acquire(harness.request('hello', { startDeadlineMs: 5 })), {
      code: 'start_timeout',
    });
    assert.equal(harness.driver.startRequests.length, 0);
  });

  it('rejects with the reason of a signal that is aborted already', async () => {
    harness.deploy('hello');
    const signal = AbortSignal.abort(new Error('gone'));
    await assert.rejects(harness.scheduler.acquire(harness.request('hello', { signal })), /gone/);
  });

  it('ends with app_not_found when the app is deleted', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    harness.remove('hello');
    await harness.clock.advance(0);
    assert.equal(codeOf(calls[1]!.error), 'app_not_found');
    assert.equal(harness.driver.live.length, 0);
    await assert.rejects(harness.scheduler.acquire(harness.request('hello')), { code: 'app_not_found' });
  });

  it('ends with shutting_down when the server stops; runners live on and no timer is left', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    const stopped = track(harness.scheduler.stop({ graceMs: 1_000 }));
    await harness.clock.advance(500);
    assert.equal(codeOf(calls[1]!.error), 'shutting_down');
    assert.equal(stopped.isSettled, false);
    slotOf(calls[0]!).release({ kind: 'done' });
    await harness.clock.advance(100);
    assert.equal(stopped.isSettled, true);
    assert.equal(harness.driver.live.length, 1);
    assert.equal(harness.clock.pendingTimers, 0);
    await assert.rejects(harness.scheduler.acquire(harness.request('hello')), { code: 'shutting_down' });
  });
});

describe('what a request says about its runner', () => {
  const serveOnce = async (outcome: Parameters<Slot['release']>[0]): Promise<string> => {
    harness.deploy('hello', { maxConcurrency: 1, keepAliveSeconds: 60 });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(call).release(outcome);
    await harness.clock.settle();
    return slotOf(call).runnerId;
  };

  for (const kind of ['terminate', 'connection-failed'] as const) {
    it(`${kind}: the runner is stopped and the next request gets another one`, async () => {
      const before = await serveOnce(kind === 'terminate' ? { kind, reason: '503' } : { kind });
      const next = track(harness.scheduler.acquire(harness.request('hello')));
      await harness.clock.advance(0);
      assert.notEqual(slotOf(next).runnerId, before);
      assert.equal(harness.driver.runners.get(before)!.stopCalls.length, 1);
    });
  }

  it('check: the runner stays while its port is open', async () => {
    const before = await serveOnce({ kind: 'check' });
    const next = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.settle();
    assert.equal(slotOf(next).runnerId, before);
  });

  it('check: the runner goes when its port is closed', async () => {
    await restartWith({ checkPort: async () => false });
    const before = await serveOnce({ kind: 'check' });
    assert.equal(harness.driver.runners.get(before)!.stopCalls.length, 1);
  });

  it('a crash does not lose the slot accounting of those who were on it', async () => {
    harness.deploy('hello', { maxMultiplexing: 2, maxConcurrency: 1 });
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    harness.driver.exit(slotOf(calls[0]!).runnerId, { reason: 'crashed' });
    const next = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    for (const call of calls) slotOf(call).release({ kind: 'connection-failed' });
    await harness.clock.settle();
    assert.equal(
      next.every((call) => call.value),
      true,
    );
    assert.deepEqual(
      harness.scheduler.listRunners(testAccount.accountId, {}).map((view) => view.inFlightRequests),
      [2],
    );
  });
});

describe('routing', () => {
  const twoReady = async (): Promise<string[]> => {
    harness.deploy('hello', { minConcurrency: 2, maxConcurrency: 2, maxMultiplexing: 4 });
    await harness.clock.advance(0);
    return harness.driver.live.map((runner) => runner.request.runnerId);
  };
  const once = async (hint: string | undefined, hints?: string[]): Promise<string> => {
    const slot = await harness.scheduler.acquire(harness.request('hello', hint === undefined ? {} : { hint }));
    slot.release({ kind: 'done', ...(hints ? { hints } : {}) });
    return slot.runnerId;
  };

  it('goes round-robin without hints', async () => {
    const ids = await twoReady();
    const used = [await once(undefined), await once(undefined), await once(undefined), await once(undefined)];
    assert.deepEqual(new Set(used), new Set(ids));
    assert.equal(used[0], used[2]);
    assert.equal(used[1], used[3]);
  });

  it('prefers the runner that published the hint, as long as it publishes it', async () => {
    await twoReady();
    const holder = await once(undefined, ['model-a', 'model-b']);
    for (let index = 0; index < 5; index += 1) assert.equal(await once('model-b', ['model-a', 'model-b']), holder);
  });

  it('returns to the runner that served the hint last when nobody publishes it', async () => {
    await twoReady();
    const holder = await once('session-7');
    await once(undefined);
    for (let index = 0; index < 3; index += 1) assert.equal(await once('session-7'), holder);
  });

  it('never waits for a match', async () => {
    harness.deploy('hello', { minConcurrency: 2, maxConcurrency: 2 });
    await harness.clock.advance(0);
    const first = await harness.scheduler.acquire(harness.request('hello', { hint: 'a' }));
    const second = await harness.scheduler.acquire(harness.request('hello', { hint: 'a' }));
    assert.notEqual(first.runnerId, second.runnerId);
  });
});
