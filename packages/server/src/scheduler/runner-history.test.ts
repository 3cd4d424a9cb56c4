import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createInMemoryRunnerStore } from '../runners/testing/in-memory-runner-store.ts';
import type { RunnerView } from './fleet.ts';
import { testAccount, testCode } from './testing/scheduler-harness.ts';
import { call, callOnce, harness, list, listSince, restartWith, useScheduler } from './testing/use-scheduler.ts';

const { accountId } = testAccount;

describe('runners that ended', () => {
  useScheduler();

  /** What a new server lists, after the present one went without a word. */
  const listedAfterRestart = async (): Promise<RunnerView[]> => {
    const scheduler = harness.restart();
    await scheduler.start();
    await harness.clock.advance(0);
    const views = await scheduler.listRunnersSince(accountId, { endedSinceMs: 0 });
    await scheduler.stop({ graceMs: 0 });
    return views;
  };

  it('are listed by the next server as by the one that saw them end, whatever ended them', async () => {
    harness.deploy('idle', { keepAliveSeconds: 1, machineTypes: ['L'] });
    harness.deploy('stopped');
    harness.deploy('killed');
    harness.deploy('crashed');
    harness.deploy('broken');
    const rolled = harness.deploy('rolled', { keepAliveSeconds: 1 });
    harness.driver.script = ({ appName }) =>
      appName === 'owner/broken' ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    const [, stopped, killed, crashed] = [
      await callOnce('idle'),
      await callOnce('stopped'),
      await callOnce('killed'),
      await callOnce('crashed'),
      await callOnce('rolled'),
    ];
    call('broken');
    await harness.scheduler.rollout(rolled.aliasId, false);
    await harness.scheduler.stopRunner(accountId, stopped, false);
    await harness.scheduler.killRunner(accountId, killed);
    harness.driver.exit(crashed, { reason: 'out_of_memory' });
    const run = await harness.scheduler.startRun({
      ...{ accountId, ownerNickname: testAccount.nickname, environmentName: 'staging', name: 'job', code: testCode },
      authMode: 'public',
      settings: { maxMultiplexing: 1, requestTimeoutSeconds: 60, startupTimeoutSeconds: 60, machineTypes: ['M'] },
    });
    await harness.clock.advance(0);
    await run.end();
    await harness.clock.advance(1_500);
    const before = (await listSince(0)).filter(({ state }) => state === 'TERMINATED');
    const reasons = Object.groupBy(before, ({ aliasName }) => aliasName);
    const endOf = (aliasName: string) =>
      reasons[aliasName]?.map(({ endReason, replacement }) => [endReason, replacement])[0];
    assert.deepEqual(endOf('idle'), ['idle', 'NO_REPLACE']);
    assert.deepEqual(endOf('stopped'), ['manual', 'NO_REPLACE']);
    assert.deepEqual(endOf('killed'), ['manual', 'NO_REPLACE']);
    assert.deepEqual(endOf('crashed'), ['out_of_memory', 'NO_REPLACE']);
    assert.deepEqual(endOf('broken'), ['crashed', 'NO_REPLACE']);
    assert.deepEqual(endOf('rolled'), ['rollout', 'DID_REPLACE']);
    assert.equal(before.find(({ aliasName }) => aliasName === 'idle')?.machineType, 'L');
    assert.ok(before.some(({ aliasId, machineType }) => aliasId === null && machineType === 'M'));

    await harness.scheduler.stop({ graceMs: 0 });
    const after = await listedAfterRestart();
    for (const view of before) {
      assert.deepEqual(
        after.find(({ runnerId }) => runnerId === view.runnerId),
        view,
      );
    }
  });

  it('are listed when they lived until the server died and are gone with their supervisor', async () => {
    harness.deploy('hello', { keepAliveSeconds: 600 });
    const runnerId = await callOnce('hello');
    const [live] = list();
    await harness.scheduler.stop({ graceMs: 0 });
    harness.driver.runners.clear();
    await harness.clock.advance(5_000);
    assert.deepEqual(await listedAfterRestart(), [
      {
        ...live,
        ...{ runnerId, state: 'TERMINATED', expiresInMs: null },
        ...{ endedAtMs: harness.clock.nowMs(), endReason: 'lost with its supervisor' },
      },
    ]);
  });

  it('are listed once the next server has ended them, with what the driver told', async () => {
    harness.deploy('moved');
    const runnerId = await callOnce('moved');
    await harness.scheduler.stop({ graceMs: 0 });
    harness.deploy('moved');
    assert.deepEqual(
      (await listedAfterRestart()).map((view) => [view.runnerId, view.aliasName, view.endReason]),
      [[runnerId, 'moved', 'stopped']],
    );
  });

  it('are not among those that the next server took over, and tell of one life afterwards', async () => {
    harness.deploy('hello', { keepAliveSeconds: 60 });
    const runnerId = await callOnce('hello');
    const [first] = list();
    // Said to end with the platform, and found alive: the order did not arrive.
    await harness.scheduler.stop({ graceMs: 0, runnersEnd: true });
    const scheduler = harness.restart();
    await scheduler.start();
    const states = async () =>
      (await scheduler.listRunnersSince(accountId, { endedSinceMs: 0 })).map((view) => [view.runnerId, view.state]);
    assert.deepEqual(await states(), [[runnerId, 'IDLE']]);
    await harness.clock.advance(60_000);
    assert.deepEqual(await states(), [[runnerId, 'TERMINATED']]);
    const ended = await scheduler.findRunner(accountId, runnerId);
    assert.deepEqual(
      [ended?.startedAtMs, ended?.startReason, ended?.endReason],
      [first?.startedAtMs, first?.startReason, 'idle'],
    );
    await scheduler.stop({ graceMs: 0 });
  });

  it('end with the platform at the moment it stops, not at its next start', async () => {
    harness.deploy('hello', { keepAliveSeconds: 600 });
    await callOnce('hello');
    await harness.scheduler.stop({ graceMs: 0, runnersEnd: true });
    const stoppedAtMs = harness.clock.nowMs();
    harness.driver.runners.clear();
    await harness.clock.advance(3_600_000);
    assert.deepEqual(
      (await listedAfterRestart()).map(({ endedAtMs, endReason }) => [endedAtMs, endReason]),
      [[stoppedAtMs, 'platform stopped']],
    );
  });

  it('are listed at once and hold nobody up, when the store takes its time or fails', async () => {
    const slow = {
      ...createInMemoryRunnerStore(),
      begin: () => new Promise<void>(() => undefined),
      end: () => new Promise<boolean>(() => undefined),
    };
    for (const runnerStore of [slow, { ...slow, begin: () => Promise.reject(new Error('the disk is full')) }]) {
      await restartWith({ runnerStore });
      harness.deploy('hello', { keepAliveSeconds: 1 });
      const runnerId = await callOnce('hello');
      await harness.clock.advance(1_000);
      assert.deepEqual(
        (await listSince(0)).map((view) => [view.runnerId, view.endReason]),
        [[runnerId, 'idle']],
      );
      assert.equal((await harness.scheduler.findRunner(accountId, runnerId))?.state, 'TERMINATED');
      assert.equal(await harness.scheduler.findRunner('acc-2', runnerId), null);
    }
  });

  it('are found by their own account alone', async () => {
    harness.deploy('hello', { keepAliveSeconds: 1 });
    const runnerId = await callOnce('hello');
    assert.equal((await harness.scheduler.findRunner(accountId, runnerId))?.state, 'IDLE');
    await harness.clock.advance(1_000);
    const { scheduler } = harness;
    assert.equal((await scheduler.findRunner(accountId, runnerId))?.state, 'TERMINATED');
    assert.equal(await scheduler.findRunner('acc-2', runnerId), null);
    assert.deepEqual(await scheduler.listRunnersSince('acc-2', { endedSinceMs: 0 }), []);
    assert.equal(await scheduler.findRunner(accountId, 'nobody'), null);
  });

  it('are listed of one app, or of all', async () => {
    for (const name of ['one', 'other']) {
      harness.deploy(name, { keepAliveSeconds: 1 });
      await callOnce(name);
    }
    await harness.clock.advance(1_000);
    const filter = { aliasName: 'one', endedSinceMs: 0 };
    assert.deepEqual(
      (await harness.scheduler.listRunnersSince(accountId, filter)).map(({ aliasName }) => aliasName),
      ['one'],
    );
    assert.equal((await listSince(0)).length, 2);
  });
});
