import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import type { Slot } from './dispatcher.ts';
import { createSchedulerHarness, testAccount, track, type SchedulerHarness } from './testing/scheduler-harness.ts';

let harness: SchedulerHarness;

beforeEach(async () => {
  harness = createSchedulerHarness();
  await harness.scheduler.start();
});

afterEach(async () => {
  await harness.scheduler.stop({ graceMs: 0 });
});

const states = (): string[] => harness.scheduler.listRunners(testAccount.accountId, {}).map((view) => view.state);
const codeOf = (error: unknown): string | null => (isLannerError(error) ? error.code : null);
/** The n-th slot a test asked for; fails when it was not given. */
const slotOf = (tracked: { value: Slot | undefined }): Slot => {
  assert.ok(tracked.value, 'the request has no slot');
  return tracked.value;
};

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
    await harness.scheduler.stop({ graceMs: 0 });
    harness = createSchedulerHarness({ checkPort: async () => false });
    await harness.scheduler.start();
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
