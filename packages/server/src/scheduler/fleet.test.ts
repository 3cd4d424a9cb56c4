import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import type { Slot } from './dispatcher.ts';
import type { LogLine, RunnerView } from './fleet.ts';
import {
  createSchedulerHarness,
  testAccount,
  testCode,
  track,
  type SchedulerHarness,
} from './testing/scheduler-harness.ts';

const { accountId } = testAccount;
let harness: SchedulerHarness;

beforeEach(async () => {
  harness = createSchedulerHarness();
  await harness.scheduler.start();
});

afterEach(async () => {
  await harness.scheduler.stop({ graceMs: 0 });
});

const list = (filter: { aliasName?: string; endedSinceMs?: number } = {}): RunnerView[] =>
  harness.scheduler.listRunners(accountId, filter);
const states = (): string[] => list().map((view) => view.state);
const codeOf = (error: unknown): string | null => (isLannerError(error) ? error.code : null);
const slotOf = (tracked: { value: Slot | undefined }): Slot => {
  assert.ok(tracked.value, 'the request has no slot');
  return tracked.value;
};
const call = (name: string) => track(harness.scheduler.acquire(harness.request(name)));
const callOnce = async (name: string): Promise<string> => {
  const asked = call(name);
  await harness.clock.advance(0);
  slotOf(asked).release({ kind: 'done' });
  return slotOf(asked).runnerId;
};

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
      list({ endedSinceMs: 0 })
        .filter((view) => view.state === 'TERMINATED')
        .map((view) => view.replacement),
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
      list({ endedSinceMs: endedAtMs }).map((view) => [view.state, view.endReason]),
      [['TERMINATED', 'idle']],
    );
    assert.deepEqual(list({ endedSinceMs: endedAtMs + 1 }), []);
    await harness.clock.advance(24 * 3_600_000 + 1);
    assert.deepEqual(list({ endedSinceMs: 0 }), []);
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

describe('an ephemeral run', () => {
  const startRun = (overrides: Partial<Parameters<SchedulerHarness['scheduler']['startRun']>[0]> = {}) =>
    harness.scheduler.startRun({
      accountId,
      ownerNickname: testAccount.nickname,
      environmentName: 'main',
      name: 'My App',
      code: testCode,
      authMode: 'public',
      settings: { maxMultiplexing: 2, requestTimeoutSeconds: 60, startupTimeoutSeconds: 60, machineTypes: ['S'] },
      clientHosts: { grpcHost: 'cg', restHost: 'cr', runHost: 'cu', queueHost: 'cq', wsHost: 'cw' },
      ...overrides,
    });
  type RunEventOf =
    Awaited<ReturnType<typeof startRun>> extends { events(signal: AbortSignal): AsyncIterable<infer E> } ? E : never;
  const readAll = async (run: Awaited<ReturnType<typeof startRun>>): Promise<RunEventOf[]> => {
    const events: RunEventOf[] = [];
    for await (const event of run.events(new AbortController().signal)) events.push(event);
    return events;
  };
  const result = { method: 'cloudpickle', sizeBytes: 2, wasRaised: false };

  it('of a function delivers its lines and then its result, and leaves nothing behind', async () => {
    harness.driver.script = () => ({ logLines: ['one', 'two'], result: { result, bytes: Buffer.from('42') } });
    const run = await startRun({ code: { ...testCode, exposedPort: null } });
    assert.equal(run.publicName, null);
    const events = track(readAll(run));
    await harness.clock.advance(0);
    assert.deepEqual(
      events.value!.map((event) => (event.type === 'log' ? event.line.line : String(event.resultBytes))),
      ['one', 'two', '42'],
    );
    const request = harness.driver.startRequests[0]!;
    assert.equal(request.purpose, 'run');
    assert.equal(request.exposedPort, undefined);
    assert.equal(request.env['FAL_HOST'], 'cg');
    await assert.rejects(harness.driver.readResult(run.runnerId));
    await run.end();
    assert.deepEqual(states(), []);
    assert.deepEqual(harness.keys.revoked, [run.runnerId]);
  });

  it('of an app whose server gives up at its start is a failed start, not a value', async () => {
    const raised = { ...result, wasRaised: true, exceptionTypeName: 'SystemExit' };
    harness.driver.script = () => ({ result: { result: raised, bytes: Buffer.from('exit') } });
    const run = await startRun();
    const target = harness.scheduler.find(testAccount.nickname, run.publicName!)!;
    const asked = track(harness.scheduler.acquire(harness.request('', { targetId: target.targetId })));
    const events = track(readAll(run));
    await harness.clock.advance(0);
    const last = events.value!.at(-1)!;
    assert.ok(last.type === 'outcome');
    assert.equal(last.result?.failure?.code, 'startup_failed');
    assert.match(last.result.failure.message, /before it listened on its port/);
    assert.equal(last.resultBytes, null);
    assert.equal(codeOf(asked.error), 'startup_failed');
    await assert.rejects(harness.driver.readResult(run.runnerId));
  });

  it('of a function that crashed tells the exit without a result', async () => {
    harness.driver.script = () => ({
      startFailure: { reason: 'out_of_memory', message: 'It used more than 512 MiB.' },
    });
    const run = await startRun({ code: { ...testCode, exposedPort: null } });
    const events = track(readAll(run));
    await harness.clock.advance(0);
    const last = events.value!.at(-1)!;
    assert.equal(last.type === 'outcome' && last.result === null && last.exit.reason, 'out_of_memory');
  });

  it('of an app answers under a name of its own until it ends', async () => {
    const run = await startRun();
    assert.match(run.publicName!, /^my-app-[0-9a-f]{8}$/);
    const target = harness.scheduler.find(testAccount.nickname, run.publicName!)!;
    assert.equal(target.authMode, 'public');
    assert.equal(target.requestTimeoutSeconds, 60);
    const calls = [1, 2, 3].map(() =>
      track(harness.scheduler.acquire(harness.request('', { targetId: target.targetId }))),
    );
    await harness.clock.advance(0);
    assert.deepEqual(
      calls.map((each) => each.isSettled),
      [true, true, false],
    );
    assert.equal(slotOf(calls[0]!).runnerId, run.runnerId);
    await run.end();
    await harness.clock.advance(0);
    assert.equal(codeOf(calls[2]!.error), 'app_not_found');
    assert.equal(harness.scheduler.find(testAccount.nickname, run.publicName!), null);
    assert.deepEqual(states(), []);
  });

  it('tells waiting callers why its app did not start', async () => {
    harness.driver.script = () => ({
      startFailure: { reason: 'startup_timeout', message: 'Nothing listened within 60 s.' },
    });
    const run = await startRun();
    const target = harness.scheduler.find(testAccount.nickname, run.publicName!)!;
    const asked = track(harness.scheduler.acquire(harness.request('', { targetId: target.targetId })));
    await harness.clock.advance(0);
    assert.equal(codeOf(asked.error), 'startup_timeout');
  });

  it('keeps its only runner when the app answers 503', async () => {
    const run = await startRun();
    const target = harness.scheduler.find(testAccount.nickname, run.publicName!)!;
    const asked = track(harness.scheduler.acquire(harness.request('', { targetId: target.targetId })));
    await harness.clock.advance(0);
    slotOf(asked).release({ kind: 'terminate', reason: '503' });
    await harness.clock.advance(0);
    assert.deepEqual(states(), ['IDLE']);
  });

  it('drops lines that nobody reads, but never the outcome', async () => {
    const logLines = Array.from({ length: 12_000 }, (_, index) => `line ${index}`);
    harness.driver.script = () => ({ logLines, result: { result, bytes: Buffer.from('42') } });
    const run = await startRun({ code: { ...testCode, exposedPort: null } });
    await harness.clock.advance(0);
    const events = await readAll(run);
    assert.equal(events.length, 10_002);
    assert.match(events[0]!.type === 'log' ? events[0]!.line.line : '', /^2000 lines of output were dropped/);
    assert.equal(events.at(-1)!.type, 'outcome');
  });

  it('lets its reader go when the reader is aborted', async () => {
    harness.driver.script = () => ({ readyAfterMs: 60_000 });
    const run = await startRun();
    const reader = new AbortController();
    const reading = track(
      (async () => {
        for await (const _event of run.events(reader.signal));
      })(),
    );
    await harness.clock.advance(0);
    reader.abort(new Error('client left'));
    await harness.clock.settle();
    assert.match(String(reading.error), /client left/);
  });

  it('is over when the server stops', async () => {
    harness.driver.script = () => ({ readyAfterMs: 60_000 });
    const run = await startRun();
    const events = track(readAll(run));
    await harness.clock.advance(0);
    await harness.scheduler.stop({ graceMs: 0 });
    await harness.clock.settle();
    assert.equal(events.value!.at(-1)!.type, 'outcome');
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
      clientHosts: { grpcHost: '', restHost: '', runHost: '', queueHost: '', wsHost: '' },
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
