import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { testAccount, testCode, track } from './testing/scheduler-harness.ts';
import { call, callOnce, harness, list, listSince, slotOf, states, useScheduler } from './testing/use-scheduler.ts';

const { accountId } = testAccount;
useScheduler();

describe('stopping one runner', () => {
  it('sends SIGTERM at once; the next request is served by another', async () => {
    harness.deploy('hello');
    const before = await callOnce('hello');
    await harness.scheduler.stopRunner(accountId, before, false);
    assert.notEqual(await callOnce('hello'), before);
    assert.deepEqual(harness.driver.runners.get(before)!.stopCalls, [{ graceMs: 5_000 }]);
  });

  it('waits for a replacement when asked to', async () => {
    harness.deploy('hello', { keepAliveSeconds: 600 });
    const before = await callOnce('hello');
    harness.driver.script = () => ({ readyAfterMs: 1_000 });
    await harness.scheduler.stopRunner(accountId, before, true);
    await harness.clock.advance(999);
    assert.deepEqual(harness.driver.runners.get(before)!.stopCalls, []);
    await harness.clock.advance(1);
    assert.equal(
      list().some((view) => view.runnerId === before),
      false,
    );
    assert.deepEqual(states(), ['IDLE']);
  });

  it('kills at once, also one that is already stopping', async () => {
    harness.deploy('hello');
    harness.driver.script = () => ({ stopAfterMs: 4_000 });
    const before = await callOnce('hello');
    await harness.scheduler.stopRunner(accountId, before, false);
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['TERMINATING']);
    await harness.scheduler.killRunner(accountId, before);
    await harness.clock.advance(0);
    assert.deepEqual(states(), []);
  });

  it('throws runner_not_found for an unknown runner and for that of another account', async () => {
    harness.deploy('hello');
    const runnerId = await callOnce('hello');
    for (const [account, id] of [
      [accountId, 'nope'],
      ['acc-2', runnerId],
    ] as const) {
      const notFound = { code: 'runner_not_found', message: /not found/i };
      await assert.rejects(harness.scheduler.stopRunner(account, id, false), notFound);
      await assert.rejects(harness.scheduler.killRunner(account, id), notFound);
    }
    assert.deepEqual(states(), ['IDLE']);
  });

  it('ends a runner that was stopped while it was being started', async () => {
    harness.deploy('hello', { keepAliveSeconds: 0 });
    harness.driver.script = () => ({ readyAfterMs: 10_000 });
    const asked = call('hello');
    const [starting] = list();
    await harness.scheduler.stopRunner(accountId, starting!.runnerId, false);
    await harness.clock.advance(20_000);
    assert.equal(
      harness.driver.live.some((runner) => runner.request.runnerId === starting!.runnerId),
      false,
    );
    // Its caller is served by the next one.
    assert.ok(slotOf(asked));
  });
});

describe('listing runners', () => {
  it('shows leases, state, machine type and reason', async () => {
    harness.deploy('hello', { machineTypes: ['L'] });
    const asked = track(
      harness.scheduler.acquire(harness.request('hello', { caller: { requestId: 'req-1', accountId: null } })),
    );
    await harness.clock.advance(0);
    const [view] = list({ aliasName: 'hello' });
    assert.equal(view!.state, 'RUNNING');
    assert.equal(view!.machineType, 'L');
    assert.equal(view!.startReason, 'need');
    assert.equal(view!.inFlightRequests, 1);
    assert.deepEqual(
      view!.leases.map(({ requestId, callerAccountId }) => [requestId, callerAccountId]),
      [['req-1', null]],
    );
    assert.deepEqual(list({ aliasName: 'other' }), []);
    slotOf(asked).release({ kind: 'done' });
    assert.deepEqual(list()[0]!.leases, []);
  });

  it('adds ended runners only from the moment asked for, with the reason of their end', async () => {
    harness.deploy('hello', { keepAliveSeconds: 10 });
    await callOnce('hello');
    await harness.clock.advance(10_000);
    const endedAtMs = harness.clock.nowMs();
    assert.deepEqual(list(), []);
    assert.deepEqual(
      (await listSince(endedAtMs)).map((view) => [view.state, view.endReason]),
      [['TERMINATED', 'idle']],
    );
    assert.deepEqual(await listSince(endedAtMs + 1), []);
    await harness.clock.advance(24 * 3_600_000 + 1);
    assert.deepEqual(await listSince(0), []);
  });

  it('explains decisions', async () => {
    const { aliasId } = harness.deploy('hello', { minConcurrency: 1, concurrencyBuffer: 1, maxConcurrency: 5 });
    await harness.clock.advance(0);
    call('hello');
    await harness.clock.advance(0);
    const decisions = harness.scheduler.explain(aliasId);
    assert.deepEqual(
      decisions.map(({ desired, need, buffer, floor }) => ({ desired, need, buffer, floor })),
      [
        { desired: 1, need: 0, buffer: 1, floor: 1 },
        { desired: 2, need: 1, buffer: 1, floor: 1 },
      ],
    );
  });
});

describe('a server that was restarted', () => {
  it('serves at once with the runners it finds, keeps their keys and counts them', async () => {
    harness.deploy('hello', { keepAliveSeconds: 60 });
    const before = await callOnce('hello');
    await harness.scheduler.stop({ graceMs: 0 });
    const scheduler = harness.restart();
    assert.deepEqual(await scheduler.start(), { adopted: true, keptRunners: 1 });
    const slot = await scheduler.acquire(harness.request('hello'));
    assert.equal(slot.runnerId, before);
    assert.equal(slot.host, '127.1.0.1');
    assert.deepEqual(harness.keys.keptSets.at(-1), [before]);
    assert.equal(harness.driver.startRequests.length, 1);
    slot.release({ kind: 'done' });
    await harness.clock.advance(60_000);
    assert.equal(harness.driver.live.length, 0);
    await scheduler.stop({ graceMs: 0 });
  });

  it('shows the machine type that its runners have, which need not be the first one now', async () => {
    harness.deploy('hello', { machineTypes: ['M', 'L'], keepAliveSeconds: 60 });
    harness.driver.script = ({ machineType }) =>
      machineType === 'M' ? { refusal: new LannerError('no_capacity', 'full') } : {};
    await callOnce('hello');
    assert.equal(list()[0]?.machineType, 'L');
    await harness.scheduler.stop({ graceMs: 0 });
    const scheduler = harness.restart();
    await scheduler.start();
    assert.deepEqual(
      scheduler.listRunners(accountId, {}).map(({ machineType, startReason }) => [machineType, startReason]),
      [['L', 'adopted']],
    );
    await scheduler.stop({ graceMs: 0 });
  });

  it('serves with a runner that was still starting', async () => {
    harness.deploy('hello');
    harness.driver.script = () => ({ readyAfterMs: 5_000 });
    call('hello');
    await harness.clock.advance(1_000);
    await harness.scheduler.stop({ graceMs: 0 });
    const scheduler = harness.restart();
    await scheduler.start();
    const asked = track(scheduler.acquire(harness.request('hello')));
    await harness.clock.advance(4_000);
    assert.ok(slotOf(asked));
    assert.equal(harness.driver.startRequests.length, 1);
    await scheduler.stop({ graceMs: 0 });
  });

  it('stops runners of revisions that are not active any more, of deleted apps, and of runs', async () => {
    harness.deploy('moved');
    harness.deploy('deleted');
    await callOnce('moved');
    await callOnce('deleted');
    await harness.scheduler.startRun({
      accountId,
      ownerNickname: testAccount.nickname,
      environmentName: 'main',
      name: 'run',
      code: testCode,
      authMode: 'public',
      settings: { maxMultiplexing: 1, requestTimeoutSeconds: 60, startupTimeoutSeconds: 60, machineTypes: [] },
    });
    await harness.clock.advance(0);
    assert.equal(harness.driver.live.length, 3);
    await harness.scheduler.stop({ graceMs: 0 });
    harness.deploy('moved');
    harness.remove('deleted');
    const scheduler = harness.restart();
    assert.deepEqual(await scheduler.start(), { adopted: true, keptRunners: 0 });
    await harness.clock.advance(0);
    assert.equal(harness.driver.live.length, 0);
    await scheduler.stop({ graceMs: 0 });
  });
});

describe('runner keys', () => {
  it('are made for each runner and revoked when it ends, however it ends', async () => {
    harness.deploy('hello', { maxConcurrency: 3 });
    harness.driver.script = (_request, start) =>
      start === 1 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    const calls = [call('hello'), call('hello'), call('hello')];
    await harness.clock.advance(0);
    const [, second, third] = harness.keys.created;
    harness.driver.exit(second!, { reason: 'crashed' });
    await harness.scheduler.stopRunner(accountId, third!, false);
    await harness.clock.advance(0);
    assert.deepEqual(new Set(harness.keys.revoked), new Set(harness.keys.created.slice(0, 3)));
    assert.equal(calls.length, 3);
  });
});
