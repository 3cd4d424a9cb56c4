import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogLine } from './fleet.ts';
import { testAccount, track } from './testing/scheduler-harness.ts';
import {
  call,
  callOnce,
  codeOf,
  harness,
  list,
  listSince,
  slotOf,
  states,
  useScheduler,
} from './testing/use-scheduler.ts';

const { accountId } = testAccount;
useScheduler();

describe('a rolling deploy', () => {
  const startFirst = (
    revisionId: string,
    signal = new AbortController().signal,
    onLog: (line: LogLine) => void = () => {},
  ) => track(harness.scheduler.startFirstRunner({ accountId, aliasName: 'hello', revisionId, signal, onLog }));

  it('starts a runner beside the present ones, and the first request after the alias moved is warm', async () => {
    harness.deploy('hello', { maxConcurrency: 1 });
    const old = await callOnce('hello');
    const revision = harness.addRevision('hello', { maxConcurrency: 1 });
    const lines: string[] = [];
    harness.driver.script = () => ({ readyAfterMs: 500, logLines: ['loading'] });
    const first = startFirst(revision.revisionId, undefined, (line) => void lines.push(line.line));
    await harness.clock.advance(499);
    assert.equal(first.isSettled, false);
    assert.equal(await callOnce('hello'), old);
    await harness.clock.advance(1);
    assert.deepEqual(lines, ['loading']);
    const { runnerId } = first.value!;
    harness.point('hello', revision);
    assert.equal(await callOnce('hello'), runnerId);
    assert.deepEqual(
      list().map((view) => [view.runnerId, view.state]),
      [[runnerId, 'IDLE']],
    );
  });

  it('works for an app that does not exist yet', async () => {
    const revision = harness.addRevision('hello');
    const first = startFirst(revision.revisionId);
    await harness.clock.advance(0);
    harness.point('hello', revision);
    assert.equal(await callOnce('hello'), first.value!.runnerId);
    assert.equal(harness.driver.startRequests.length, 1);
  });

  it('lets requests on the old revision finish and sends new ones to the new revision', async () => {
    harness.deploy('hello', { maxConcurrency: 1, requestTimeoutSeconds: 30 });
    const busy = call('hello');
    await harness.clock.advance(0);
    const revision = harness.addRevision('hello', { maxConcurrency: 1, requestTimeoutSeconds: 30 });
    const first = startFirst(revision.revisionId);
    await harness.clock.advance(0);
    harness.point('hello', revision);
    await harness.clock.advance(0);
    assert.deepEqual(states().sort(), ['DRAINING', 'IDLE']);
    assert.equal(await callOnce('hello'), first.value!.runnerId);
    slotOf(busy).release({ kind: 'done' });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('gives old requests no longer than request_timeout, then SIGTERM with the grace period', async () => {
    harness.deploy('hello', { requestTimeoutSeconds: 30 }, { code: { terminationGraceSeconds: 7 } });
    const busy = call('hello');
    await harness.clock.advance(0);
    harness.deploy('hello', { requestTimeoutSeconds: 30 });
    await harness.clock.advance(29_999);
    const old = harness.driver.runners.get(slotOf(busy).runnerId)!;
    assert.deepEqual(old.stopCalls, []);
    await harness.clock.advance(1);
    assert.deepEqual(old.stopCalls, [{ graceMs: 7_000 }]);
  });

  it('fails with rollout_failed, the reason and the last lines when the runner cannot start', async () => {
    harness.deploy('hello');
    const old = await callOnce('hello');
    const revision = harness.addRevision('hello');
    harness.driver.script = () => ({
      logLines: ['KeyError: weights'],
      startFailure: { reason: 'crashed', message: 'It ended with status 1.' },
    });
    const first = startFirst(revision.revisionId);
    await harness.clock.advance(0);
    assert.equal(codeOf(first.error), 'rollout_failed');
    assert.match(String(first.error), /It ended with status 1/);
    assert.match(String(first.error), /KeyError: weights/);
    assert.equal(await callOnce('hello'), old);
  });

  it('stops its runner when it is aborted', async () => {
    const revision = harness.addRevision('hello');
    harness.driver.script = () => ({ readyAfterMs: 5_000 });
    const caller = new AbortController();
    const first = startFirst(revision.revisionId, caller.signal);
    await harness.clock.advance(1_000);
    caller.abort(new Error('deploy cancelled'));
    await harness.clock.advance(0);
    assert.match(String(first.error), /deploy cancelled/);
    assert.equal(harness.driver.live.length, 0);
  });

  it('lets its runner go when the alias never moves', async () => {
    const revision = harness.addRevision('hello');
    startFirst(revision.revisionId);
    await harness.clock.advance(59_999);
    assert.equal(harness.driver.live.length, 1);
    await harness.clock.advance(1);
    assert.equal(harness.driver.live.length, 0);
    assert.equal(harness.clock.pendingTimers, 0);
  });

  it('is done at once when a runner of that revision is ready', async () => {
    const alias = harness.deploy('hello');
    const present = await callOnce('hello');
    const first = startFirst(alias.revisionId);
    await harness.clock.settle();
    assert.deepEqual(first.value, { runnerId: present });
  });

  it('throws revision_not_found for a revision that does not exist', async () => {
    const first = startFirst('no-such-revision');
    await harness.clock.settle();
    assert.equal(codeOf(first.error), 'revision_not_found');
  });

  it('is told when the server stops', async () => {
    const revision = harness.addRevision('hello');
    harness.driver.script = () => ({ readyAfterMs: 5_000 });
    const first = startFirst(revision.revisionId);
    await harness.clock.advance(0);
    await harness.scheduler.stop({ graceMs: 0 });
    await harness.clock.settle();
    assert.equal(codeOf(first.error), 'shutting_down');
  });
});

describe('a rollout', () => {
  it('drains each old runner only when its replacement is ready, above the cap', async () => {
    const { aliasId } = harness.deploy('hello', { minConcurrency: 2, maxConcurrency: 2 });
    await harness.clock.advance(0);
    const old = list().map((view) => view.runnerId);
    let started = 0;
    harness.driver.script = () => ({ readyAfterMs: (started += 1) * 1_000 });
    await harness.scheduler.rollout(aliasId, false);
    await harness.clock.advance(999);
    assert.equal(harness.scheduler.isRolling(aliasId), true);
    assert.equal(harness.scheduler.countRunners(aliasId), 4);
    assert.deepEqual(
      list()
        .filter((view) => view.replacement === 'WILL_REPLACE')
        .map((view) => view.runnerId),
      old,
    );
    await harness.clock.advance(1);
    assert.deepEqual(states().sort(), ['IDLE', 'IDLE', 'SETUP']);
    await harness.clock.advance(1_000);
    assert.deepEqual(states(), ['IDLE', 'IDLE']);
    assert.equal(
      list().some((view) => old.includes(view.runnerId)),
      false,
    );
    assert.equal(harness.scheduler.isRolling(aliasId), false);
    assert.deepEqual(
      (await listSince(0)).filter((view) => view.state === 'TERMINATED').map((view) => view.replacement),
      ['DID_REPLACE', 'DID_REPLACE'],
    );
  });

  it('lets the request on an old runner finish', async () => {
    const { aliasId } = harness.deploy('hello', { maxConcurrency: 1 });
    const busy = call('hello');
    await harness.clock.advance(0);
    await harness.scheduler.rollout(aliasId, false);
    await harness.clock.advance(0);
    assert.deepEqual(states().sort(), ['DRAINING', 'IDLE']);
    slotOf(busy).release({ kind: 'done' });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('stalls with the old runners serving while replacements fail, and goes on after the backoff', async () => {
    const { aliasId } = harness.deploy('hello', { minConcurrency: 1 });
    await harness.clock.advance(0);
    const [old] = list();
    harness.driver.script = (_request, start) =>
      start === 2 ? { startFailure: { reason: 'crashed', message: 'boom' } } : {};
    await harness.scheduler.rollout(aliasId, false);
    await harness.clock.advance(29_999);
    assert.deepEqual(
      list().map((view) => [view.runnerId, view.state]),
      [[old!.runnerId, 'IDLE']],
    );
    assert.equal(await callOnce('hello'), old!.runnerId);
    await harness.clock.advance(1);
    assert.notEqual(await callOnce('hello'), old!.runnerId);
    assert.equal(harness.scheduler.isRolling(aliasId), false);
  });

  it('turns a replacement into an ordinary runner when the old one dies first', async () => {
    const { aliasId } = harness.deploy('hello', { minConcurrency: 1, maxConcurrency: 1 });
    await harness.clock.advance(0);
    const [old] = list();
    harness.driver.script = () => ({ readyAfterMs: 1_000 });
    await harness.scheduler.rollout(aliasId, false);
    await harness.clock.advance(0);
    harness.driver.exit(old!.runnerId, { reason: 'crashed' });
    await harness.clock.advance(1_000);
    assert.deepEqual(states(), ['IDLE']);
    assert.equal(harness.driver.startRequests.length, 2);
  });

  it('forced: kills at once and starts nothing until a request comes, whatever the floor', async () => {
    const { aliasId } = harness.deploy('hello', { minConcurrency: 2, maxConcurrency: 2 });
    const busy = call('hello');
    await harness.clock.advance(0);
    await harness.scheduler.rollout(aliasId, true);
    await harness.clock.advance(3_600_000);
    assert.deepEqual(states(), []);
    assert.equal(
      [...harness.driver.runners.values()].every((runner) => runner.killCalls === 1),
      true,
    );
    slotOf(busy).release({ kind: 'connection-failed' });
    await callOnce('hello');
    assert.equal(harness.scheduler.countRunners(aliasId), 2);
  });

  it('forced: a waiting request is the request that starts the next runner', async () => {
    const { aliasId } = harness.deploy('hello', { maxConcurrency: 1 });
    const [, waiting] = [call('hello'), call('hello')];
    await harness.clock.advance(0);
    await harness.scheduler.rollout(aliasId, true);
    await harness.clock.advance(0);
    assert.ok(slotOf(waiting!));
  });
});
