import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testAccount, track } from './testing/scheduler-harness.ts';
import { codeOf, harness, slotOf, states, useScheduler } from './testing/use-scheduler.ts';

useScheduler();

describe('a runner that cannot come', () => {
  it('is told to waiting callers with the reason and the last lines of its output', async () => {
    harness.deploy('hello');
    harness.driver.script = () => ({
      readyAfterMs: 100,
      logLines: ['Traceback', 'ImportError: no torch'],
      startFailure: { reason: 'crashed', message: 'It ended with status 1 before it was ready.' },
    });
    const calls = [1, 2, 3].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(100);
    for (const call of calls) {
      assert.equal(codeOf(call.error), 'startup_failed');
      assert.match(String(call.error), /status 1 before it was ready/);
      assert.match(String(call.error), /ImportError: no torch/);
    }
  });

  it('is told without the output of an app whose callers are not its owners', async () => {
    harness.deploy('hello', {}, { authMode: 'public' });
    harness.driver.script = () => ({
      logLines: ['ImportError: no torch'],
      startFailure: { reason: 'crashed', message: 'It ended with status 1 before it was ready.' },
    });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    assert.match(String(call.error), /status 1 before it was ready/);
    assert.doesNotMatch(String(call.error), /ImportError/);
  });

  it('is told at once to those who come during the backoff, and tried again after it', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    harness.driver.script = (_request, start) =>
      start === 1 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(10_000);
    const during = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.settle();
    assert.equal(codeOf(during.error), 'startup_failed');
    assert.match(String(during.error), /in 20 s/);
    assert.equal(harness.driver.startRequests.length, 1);
    await harness.clock.advance(20_000);
    const after = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    assert.ok(slotOf(after));
  });

  for (const reason of ['build_failed', 'startup_timeout'] as const) {
    it(`keeps its own code: ${reason}`, async () => {
      harness.deploy('hello');
      harness.driver.script = () => ({ startFailure: { reason, message: 'why' } });
      const call = track(harness.scheduler.acquire(harness.request('hello')));
      await harness.clock.advance(0);
      assert.equal(codeOf(call.error), reason);
      assert.equal(harness.driver.startRequests.length, 1, 'the next start waits');
    });
  }

  it('does not fail callers whom another runner can serve', async () => {
    harness.deploy('hello', { maxConcurrency: 2 });
    harness.driver.script = (_request, start) =>
      start === 1 ? { readyAfterMs: 50, startFailure: { reason: 'crashed', message: 'boom' } } : { readyAfterMs: 500 };
    const calls = [1, 2].map(() => track(harness.scheduler.acquire(harness.request('hello'))));
    await harness.clock.advance(500);
    assert.ok(slotOf(calls[0]!));
    assert.equal(calls[1]!.isSettled, false);
    slotOf(calls[0]!).release({ kind: 'done' });
    await harness.clock.settle();
    assert.ok(slotOf(calls[1]!));
  });

  it('is held with linear backoff for a floor, shown as FAILURE_DELAY, and woken by one success', async () => {
    harness.driver.script = (_request, start) =>
      start <= 3 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    const bootedAt: number[] = [];
    harness.deploy('hello', { minConcurrency: 1 });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['FAILURE_DELAY']);
    const heldId = harness.scheduler.listRunners(testAccount.accountId, {})[0]!.runnerId;
    for (let second = 0; second <= 200; second += 1) {
      if (harness.driver.startRequests.length > bootedAt.length) bootedAt.push(second);
      await harness.clock.advance(1_000);
    }
    assert.deepEqual(bootedAt, [0, 30, 90, 180]);
    assert.equal(harness.driver.startRequests[1]!.runnerId, heldId);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('counts runners that were started side by side and fail together as one failure', async () => {
    harness.driver.script = (_request, start) =>
      start <= 4 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    harness.deploy('hello', { minConcurrency: 4, maxConcurrency: 4 });
    await harness.clock.advance(30_000);
    assert.deepEqual(states(), ['IDLE', 'IDLE', 'IDLE', 'IDLE']);
  });

  it('starts anew with a new revision', async () => {
    harness.deploy('hello', { minConcurrency: 1 });
    harness.driver.script = (_request, start) =>
      start === 1 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    await harness.clock.advance(0);
    harness.deploy('hello', { minConcurrency: 1 });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('holds a floor whose runner becomes ready and dies at once', async () => {
    harness.deploy('hello', { minConcurrency: 1 });
    await harness.clock.advance(0);
    harness.driver.exit(harness.driver.live[0]!.request.runnerId, { reason: 'crashed' });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['FAILURE_DELAY']);
  });

  it('is no_capacity when no machine is free; the next machine type is tried first', async () => {
    const { LannerError } = await import('@lanner/protocol');
    const full = new LannerError('no_capacity', 'No machine of this type is free.');
    harness.driver.script = (request) =>
      request.limits.cpus === 12 || request.limits.cpus === 8 ? { refusal: full } : {};
    harness.deploy('hello', { machineTypes: ['GPU-H100', 'XL', 'L'] });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(0);
    assert.deepEqual(
      harness.driver.startRequests.map((request) => request.limits.cpus),
      [12, 8, 4],
    );
    assert.ok(slotOf(call));
    harness.deploy('full', { machineTypes: ['XL'] });
    const refused = track(harness.scheduler.acquire(harness.request('full')));
    await harness.clock.advance(0);
    assert.equal(codeOf(refused.error), 'no_capacity');
  });

  it('waits for a supervisor that is being restarted, but not for ever', async () => {
    const { LannerError } = await import('@lanner/protocol');
    const away = new LannerError('supervisor_unavailable', 'The supervisor does not answer.');
    harness.driver.script = (_request, start) => (start <= 3 ? { refusal: away } : {});
    harness.deploy('hello', { maxConcurrency: 1 });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(1_500);
    assert.ok(slotOf(call));
    slotOf(call).release({ kind: 'terminate', reason: 'test' });
    harness.driver.script = () => ({ refusal: away });
    const lost = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(60_000);
    assert.equal(codeOf(lost.error), 'supervisor_unavailable');
  });

  it('is not what the death of a supervisor says: those who wait get a runner of the next one', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    harness.driver.script = () => ({ readyAfterMs: 1_000 });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(500);
    harness.driver.exit(harness.driver.live[0]!.request.runnerId, { reason: 'killed', signal: 'SIGKILL' });
    await harness.clock.advance(1_000);
    assert.ok(slotOf(call));
  });

  it('is app_suspended when the cap is zero', async () => {
    harness.deploy('hello', { maxConcurrency: 0 });
    const call = track(harness.scheduler.acquire(harness.request('hello')));
    await harness.clock.settle();
    assert.equal(codeOf(call.error), 'app_suspended');
  });

  it('is app_not_found for an app that does not exist', async () => {
    await assert.rejects(harness.scheduler.acquire(harness.request('nobody')), { code: 'app_not_found' });
  });
});
