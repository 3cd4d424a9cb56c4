import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testAccount, testCode, track, type SchedulerHarness } from './testing/scheduler-harness.ts';
import { codeOf, harness, slotOf, states, useScheduler } from './testing/use-scheduler.ts';

const { accountId } = testAccount;
useScheduler();

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
    assert.equal(request.env['FAL_HOST'], 'g');
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
