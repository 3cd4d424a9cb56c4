import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testAccount, track } from './testing/scheduler-harness.ts';
import { harness, slotOf, states, useScheduler } from './testing/use-scheduler.ts';

useScheduler();

describe('scaling from zero', () => {
  it('starts a runner for the first request and gives it the slot when it is ready', async () => {
    harness.deploy('hello');
    harness.driver.script = () => ({ readyAfterMs: 2_000 });
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(1_999);
    assert.equal(first.isSettled, false);
    assert.deepEqual(states(), ['SETUP']);
    await harness.clock.advance(1);
    const slot = slotOf(first);
    assert.equal(slot.host, '127.1.0.1');
    assert.equal(slot.port, 8080);
    assert.deepEqual(states(), ['RUNNING']);
    slot.release({ kind: 'done' });
    assert.deepEqual(states(), ['IDLE']);
  });

  it('reuses the idle runner, without a timer and within a microtask', async () => {
    harness.deploy('hello');
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(first).release({ kind: 'done' });
    const timers = harness.clock.pendingTimers;
    const second = track(harness.scheduler.acquire(harness.request('hello')));
    await Promise.resolve();
    assert.equal(slotOf(second).runnerId, slotOf(first).runnerId);
    assert.equal(harness.clock.pendingTimers, timers);
    assert.equal(harness.driver.startRequests.length, 1);
  });

  it('releases the runner after its keep-alive and starts another for the next request', async () => {
    harness.deploy('hello', { keepAliveSeconds: 60 });
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(first).release({ kind: 'done' });
    await harness.clock.advance(59_999);
    assert.deepEqual(states(), ['IDLE']);
    assert.equal(harness.scheduler.listRunners(testAccount.accountId, {})[0]!.expiresInMs, 1);
    await harness.clock.advance(1);
    assert.deepEqual(states(), []);
    assert.equal(harness.clock.pendingTimers, 0);
    const second = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    assert.notEqual(slotOf(second).runnerId, slotOf(first).runnerId);
  });

  it('tells that a runner which nobody called goes after ten seconds', async () => {
    harness.deploy('hello', { keepAliveSeconds: 60 });
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(first).release({ kind: 'abandoned' });
    await harness.clock.advance(9_000);
    assert.equal(harness.scheduler.listRunners(testAccount.accountId, {})[0]!.expiresInMs, 1_000);
    await harness.clock.advance(1_000);
    assert.deepEqual(states(), []);
  });

  it('keeps a runner that somebody works in; its idle time begins when the last one leaves', async () => {
    harness.deploy('hello', { keepAliveSeconds: 60 });
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(first).release({ kind: 'done' });
    const { runnerId } = harness.scheduler.listRunners(testAccount.accountId, {})[0]!;
    const shell = harness.scheduler.holdRunner(testAccount.accountId, runnerId);
    const command = harness.scheduler.holdRunner(testAccount.accountId, runnerId);
    await harness.clock.advance(600_000);
    assert.deepEqual(states(), ['IDLE']);
    assert.equal(harness.scheduler.listRunners(testAccount.accountId, {})[0]!.expiresInMs, null);
    command();
    command();
    await harness.clock.advance(600_000);
    assert.deepEqual(states(), ['IDLE']);
    shell();
    await harness.clock.advance(59_999);
    assert.deepEqual(states(), ['IDLE']);
    await harness.clock.advance(1);
    assert.deepEqual(states(), []);
    assert.equal(harness.clock.pendingTimers, 0);
    assert.throws(() => harness.scheduler.holdRunner(testAccount.accountId, runnerId), { code: 'runner_not_found' });
  });

  it('does not let go of a runner that was used again before its keep-alive was over', async () => {
    harness.deploy('hello', { keepAliveSeconds: 10 });
    const first = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(first).release({ kind: 'done' });
    await harness.clock.advance(9_000);
    const second = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(5_000);
    slotOf(second).release({ kind: 'done' });
    await harness.clock.advance(9_999);
    assert.deepEqual(states(), ['IDLE']);
    await harness.clock.advance(1);
    assert.deepEqual(states(), []);
  });

  it('lets a runner go after 10 s when the caller who wanted it left', async () => {
    harness.deploy('hello', { keepAliveSeconds: 300 });
    const caller = new AbortController();
    const first = track(harness.scheduler.acquire(harness.request('hello', { signal: caller.signal })));
    harness.driver.script = () => ({ readyAfterMs: 1_000 });
    await harness.clock.advance(500);
    caller.abort(new Error('caller left'));
    await harness.clock.advance(500);
    assert.match(String(first.error), /caller left/);
    assert.deepEqual(states(), ['IDLE']);
    await harness.clock.advance(10_000);
    assert.deepEqual(states(), []);
  });

  it('starts no more than the cap and serves the rest in order', async () => {
    harness.deploy('hello', { maxConcurrency: 2 });
    const calls = [1, 2, 3, 4].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    assert.equal(harness.driver.startRequests.length, 2);
    assert.deepEqual(
      calls.map((call) => call.isSettled),
      [true, true, false, false],
    );
    slotOf(calls[1]!).release({ kind: 'done' });
    await harness.clock.settle();
    assert.deepEqual(
      calls.map((call) => call.isSettled),
      [true, true, true, false],
    );
    assert.equal(slotOf(calls[2]!).runnerId, slotOf(calls[1]!).runnerId);
  });

  it('puts as many requests on a runner as it multiplexes', async () => {
    harness.deploy('hello', { maxMultiplexing: 3, maxConcurrency: 5 });
    const calls = [1, 2, 3, 4].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    assert.equal(harness.driver.startRequests.length, 2);
    assert.equal(
      calls.every((call) => call.isSettled),
      true,
    );
  });

  it('waits out the scaling delay before it adds a runner', async () => {
    harness.deploy('hello', { scalingDelaySeconds: 5, maxConcurrency: 5, minConcurrency: 1 });
    await harness.clock.advance(0);
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(4_999);
    assert.equal(harness.driver.startRequests.length, 1);
    await harness.clock.advance(1);
    assert.equal(harness.driver.startRequests.length, 2);
    assert.equal(calls[1]!.isSettled, true);
  });
});

describe('floor and buffer', () => {
  it('are filled as soon as the app exists and kept while nobody calls', async () => {
    harness.deploy('hello', { minConcurrency: 2, maxConcurrency: 4 });
    await harness.clock.advance(3_600_000);
    assert.deepEqual(states(), ['IDLE', 'IDLE']);
    assert.equal(harness.driver.startRequests.length, 2);
    assert.equal(harness.clock.pendingTimers, 0);
  });

  it('are filled for apps that exist when the server starts', async () => {
    await harness.scheduler.stop({ graceMs: 0 });
    harness.deploy('hello', { minConcurrency: 1 });
    const scheduler = harness.restart();
    await scheduler.start();
    await harness.clock.advance(0);
    assert.equal(scheduler.countRunners(`${testAccount.accountId}/hello`), 1);
    await scheduler.stop({ graceMs: 0 });
  });

  it('add a spare runner when a request takes one, and take it back when the request is done', async () => {
    harness.deploy('hello', { minConcurrency: 1, concurrencyBuffer: 1, maxConcurrency: 10, keepAliveSeconds: 5 });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(10_000);
    assert.deepEqual(states().sort(), ['IDLE', 'RUNNING']);
    slotOf(call).release({ kind: 'done' });
    await harness.clock.advance(0);
    // The spare one has been idle longer than its keep-alive: nothing keeps it any more.
    assert.deepEqual(states(), ['IDLE']);
  });

  it('replace a runner that crashed', async () => {
    harness.deploy('hello', { minConcurrency: 1 });
    await harness.clock.advance(20_000);
    const [before] = harness.driver.live;
    harness.driver.exit(before!.request.runnerId, { reason: 'crashed', code: 1 });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
    assert.notEqual(harness.driver.live[0]!.request.runnerId, before!.request.runnerId);
  });
});

describe('settings', () => {
  it('take effect at once: a raised floor', async () => {
    harness.deploy('hello', { keepAliveSeconds: 5 });
    harness.deploy('hello', { minConcurrency: 2 }, { keepRevision: true });
    await harness.clock.advance(60_000);
    assert.deepEqual(states(), ['IDLE', 'IDLE']);
  });

  it('take effect at once: a lowered cap drains busy runners without cutting them', async () => {
    harness.deploy('hello', { maxConcurrency: 3 });
    const calls = [1, 2, 3].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    harness.deploy('hello', { maxConcurrency: 1 }, { keepRevision: true });
    await harness.clock.advance(0);
    assert.deepEqual(states().sort(), ['DRAINING', 'DRAINING', 'RUNNING']);
    for (const call of calls) slotOf(call).release({ kind: 'done' });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('take effect at once: more multiplexing serves those who wait', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(0);
    assert.equal(calls[1]!.isSettled, false);
    harness.deploy('hello', { maxConcurrency: 1, maxMultiplexing: 2 }, { keepRevision: true });
    await harness.clock.settle();
    assert.equal(calls[1]!.isSettled, true);
  });

  it('take effect at once: a shorter keep-alive', async () => {
    harness.deploy('hello', { keepAliveSeconds: 3_600 });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    slotOf(call).release({ kind: 'done' });
    await harness.clock.advance(30_000);
    harness.deploy('hello', { keepAliveSeconds: 10 }, { keepRevision: true });
    await harness.clock.advance(0);
    assert.deepEqual(states(), []);
  });
});
