import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AttemptSnapshot, StartRunnerRequest, SupervisorEvent } from '@lanner/protocol';
import type { RunnerDriver } from '../runner-driver.ts';

/** What the code of a runner does in this suite. */
export type RunnerBehaviour =
  /** Answers HTTP on its port with 200 until SIGTERM. */
  | 'serve'
  /** The same, but ignores SIGTERM. */
  | 'stubborn'
  /** Prints a line to standard error that contains `about to crash` and ends with status 3. */
  | 'crash'
  /** Prints `one`, `two`, `three` and returns. */
  | 'print'
  /** Returns 42. */
  | 'return'
  /** Raises ValueError. */
  | 'raise'
  /** Runs without listening or returning. */
  | 'slow';

/** A driver under test and how to give its runners something to do. */
export interface DriverHarness {
  /** A new driver on the same surroundings, like that of a restarted server. */
  createDriver(): RunnerDriver;
  /** Makes the request run `behaviour`: callable, environment, files. */
  dress(request: StartRunnerRequest, behaviour: RunnerBehaviour): StartRunnerRequest;
  /** Ends every runner and whatever owns them. Called once, after every driver was stopped. */
  close(): Promise<void>;
  /** How long a runner may need to get ready here. */
  patienceMs: number;
}

/** Events of a driver as a test reads them: by waiting for one. */
interface EventReader {
  all: SupervisorEvent[];
  until(isMatch: (event: SupervisorEvent) => boolean): Promise<SupervisorEvent>;
}

/** The contract of RunnerDriver. Holds for processes, and for whatever else runs runners later. */
export function runnerDriverConformance(name: string, createHarness: () => Promise<DriverHarness>): void {
  describe(`runner driver: ${name}`, () => {
    let harness: DriverHarness;
    let driver: RunnerDriver;
    let events: EventReader;
    let drivers: RunnerDriver[];

    const open = (): { driver: RunnerDriver; events: EventReader } => {
      const opened = harness.createDriver();
      drivers.push(opened);
      return { driver: opened, events: readEvents(opened, harness.patienceMs) };
    };
    const request = (behaviour: RunnerBehaviour, overrides: Partial<StartRunnerRequest> = {}): StartRunnerRequest =>
      harness.dress({ ...baseRequest(), ...overrides }, behaviour);
    const isExit = (runnerId: string) => (event: SupervisorEvent) =>
      event.type === 'runner.exited' && event.runnerId === runnerId;
    const isReady = (runnerId: string) => (event: SupervisorEvent) =>
      event.type === 'runner.phase' && event.phase === 'ready' && event.runnerId === runnerId;
    const exitOf = async (runnerId: string): Promise<Extract<SupervisorEvent, { type: 'runner.exited' }>> =>
      (await events.until(isExit(runnerId))) as never;

    beforeEach(async () => {
      drivers = [];
      harness = await createHarness();
      ({ driver, events } = open());
      await driver.start();
    });

    afterEach(async () => {
      for (const each of drivers) await each.stop();
      await harness.close();
    });

    it('starts a runner that answers at its address once it is ready', async () => {
      const asked = request('serve');
      const { host } = await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      const response = await fetch(`http://${host}:${asked.exposedPort}/`);
      assert.equal(response.status, 200);
      await response.arrayBuffer();
      const phases = events.all.flatMap((event) => (event.type === 'runner.phase' ? [event.phase] : []));
      assert.deepEqual(phases, ['starting', 'setup', 'ready']);
    });

    it('gives two runners on the same port two addresses', async () => {
      const [first, second] = [request('serve'), request('serve')];
      const hosts = [(await driver.startRunner(first)).host, (await driver.startRunner(second)).host];
      await events.until(isReady(first.runnerId));
      await events.until(isReady(second.runnerId));
      assert.notEqual(hosts[0], hosts[1]);
      for (const host of hosts) assert.equal((await fetch(`http://${host}:${first.exposedPort}/`)).status, 200);
    });

    it('sends an attempt once, keeps its answer for the next server, and forgets it when told', async () => {
      const asked = request('serve');
      await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      const attemptId = randomUUID();
      const order = {
        attemptId,
        requestNumber: 7,
        attemptNumber: 2,
        port: asked.exposedPort!,
        method: 'GET',
        path: '/',
        headers: [],
        bodyBytes: 0,
        timeoutMs: 30_000,
      };
      await driver.startAttempt(asked.runnerId, order, new Uint8Array());
      await driver.startAttempt(asked.runnerId, order, new Uint8Array());
      const isEnd = (event: SupervisorEvent): boolean =>
        event.type === 'attempt.finished' && event.attemptId === attemptId;
      const event = await events.until(isEnd);
      assert.ok(event.type === 'attempt.finished' && event.outcome.kind === 'answered');
      assert.equal(event.outcome.status, 200);
      const { driver: next } = open();
      await next.start();
      const [{ startedAtMs, ...known }] = (await next.listAttempts()) as [AttemptSnapshot];
      const ids = { attemptId, runnerId: asked.runnerId, requestNumber: 7, attemptNumber: 2 };
      assert.deepEqual(known, { ...ids, outcome: event.outcome });
      assert.ok(startedAtMs > 0);
      assert.equal(next.generation, driver.generation);
      let bytes = 0;
      for await (const chunk of await next.readAttempt(attemptId)) bytes += (chunk as Buffer).length;
      assert.equal(bytes, event.outcome.sizeBytes);
      await next.forgetAttempt(attemptId);
      await next.forgetAttempt(attemptId);
      // Soon: it is not waited for.
      while ((await next.listAttempts()).length > 0) await new Promise((resolve) => void setTimeout(resolve, 5));
      await assert.rejects(driver.startAttempt(randomUUID(), { ...order, attemptId: randomUUID() }, new Uint8Array()));
    });

    it('stops a runner, which then does not answer any more', async () => {
      const asked = request('serve');
      const { host } = await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      await driver.stopRunner(asked.runnerId, 5_000);
      assert.equal((await exitOf(asked.runnerId)).exit.reason, 'stopped');
      await assert.rejects(fetch(`http://${host}:${asked.exposedPort}/`));
    });

    it('kills a runner that ignores SIGTERM when the grace period is over', async () => {
      const asked = request('stubborn');
      await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      await driver.stopRunner(asked.runnerId, 100);
      await driver.stopRunner(asked.runnerId, 100);
      const { exit } = await exitOf(asked.runnerId);
      assert.ok(exit.reason === 'killed' || exit.reason === 'stopped', exit.reason);
      assert.equal(exit.signal, 'SIGKILL');
    });

    it('kills a runner at once', async () => {
      const asked = request('stubborn');
      await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      await driver.killRunner(asked.runnerId);
      assert.equal((await exitOf(asked.runnerId)).exit.reason, 'killed');
    });

    it('ignores stops of runners that it does not know', async () => {
      await driver.stopRunner(randomUUID(), 100);
      await driver.killRunner(randomUUID());
    });

    it('tells of a runner that ends before it is ready, after its last line', async () => {
      const asked = request('crash');
      await driver.startRunner(asked);
      const { exit } = await exitOf(asked.runnerId);
      assert.equal(exit.reason, 'crashed');
      assert.equal(exit.code, 3);
      assert.notEqual(exit.message, '');
      assert.equal(
        events.all.some((event) => event.type === 'runner.log' && event.line.includes('about to crash')),
        true,
      );
      assert.equal(events.all.at(-1)?.type, 'runner.exited');
    });

    it('delivers lines in order and keeps the result until it is forgotten', async () => {
      const asked = request('print', { purpose: 'run' });
      await driver.startRunner(asked);
      assert.equal((await exitOf(asked.runnerId)).exit.reason, 'finished');
      const lines = events.all.flatMap((event) =>
        event.type === 'runner.log' && event.source === 'user' ? [event.line] : [],
      );
      assert.deepEqual(lines, ['one', 'two', 'three']);
      const kinds = events.all.map((event) => event.type);
      assert.ok(kinds.indexOf('runner.result') > kinds.lastIndexOf('runner.log'));
      const bytes = await driver.readResult(asked.runnerId);
      assert.deepEqual(await driver.readResult(asked.runnerId), bytes);
      await driver.forgetResult(asked.runnerId);
      await assert.rejects(driver.readResult(asked.runnerId));
    });

    it('says when the callable raised', async () => {
      const asked = request('raise', { purpose: 'run' });
      await driver.startRunner(asked);
      await exitOf(asked.runnerId);
      const event = events.all.find((each) => each.type === 'runner.result');
      assert.equal(event?.result.wasRaised, true);
      assert.equal(event?.result.exceptionTypeName, 'ValueError');
      assert.match(event?.result.stringizedTraceback ?? '', /ValueError/);
    });

    it('numbers events upwards, each once', async () => {
      const asked = [request('print', { purpose: 'run' }), request('return', { purpose: 'run' })];
      for (const each of asked) await driver.startRunner(each);
      for (const each of asked) await events.until(isExit(each.runnerId));
      const numbers = events.all.map((event) => event.seq);
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
      );
    });

    it('lists its runners in its status', async () => {
      const asked = request('serve');
      const { host } = await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      const { runners } = await driver.status();
      const snapshot = runners.find((runner) => runner.runnerId === asked.runnerId);
      assert.equal(snapshot?.phase, 'ready');
      assert.equal(snapshot?.address, host);
      assert.equal(snapshot?.revisionId, asked.revisionId);
      assert.equal(snapshot?.appName, asked.appName);
      assert.equal(snapshot?.exposedPort, asked.exposedPort);
      assert.equal(snapshot?.machineType, 'M');
    });

    it('leaves runners alone when it stops; the next driver adopts them and hears of their end', async () => {
      const asked = request('serve');
      const { host } = await driver.startRunner(asked);
      await events.until(isReady(asked.runnerId));
      await driver.stop();
      assert.equal((await fetch(`http://${host}:${asked.exposedPort}/`)).status, 200);
      ({ driver, events } = open());
      const adoption = await driver.start();
      assert.equal(adoption.adopted, true);
      assert.deepEqual(
        adoption.runners.map(({ runnerId, phase }) => [runnerId, phase]),
        [[asked.runnerId, 'ready']],
      );
      await driver.stopRunner(asked.runnerId, 5_000);
      assert.equal((await exitOf(asked.runnerId)).exit.reason, 'stopped');
    });

    it('builds an environment, with its output', async () => {
      const messages = [];
      const { accountId, accountOrdinal, environment } = request('serve');
      for await (const message of driver.build(
        { accountId, accountOrdinal, environment, force: false },
        AbortSignal.timeout(120_000),
      )) {
        messages.push(message);
      }
      const last = messages.at(-1);
      assert.equal(last?.type, 'done');
      assert.equal(last?.type === 'done' && /^[0-9a-f]{8,}$/.test(last.environmentId), true);
    });
  });
}

function baseRequest(): StartRunnerRequest {
  return {
    runnerId: randomUUID(),
    accountId: 'acc-1',
    accountOrdinal: 1,
    revisionId: randomUUID(),
    appName: 'owner/app',
    environment: { kind: 'virtualenv', configuration: { requirements: [] } },
    callable: { kind: 'entrypoint', entrypoint: '' },
    purpose: 'serve',
    runOnMainThread: true,
    exposedPort: 8080,
    startupTimeoutMs: 60_000,
    graceMs: 2_000,
    files: [],
    dataMounts: [],
    env: {},
    limits: { memoryMiB: 1024, cpus: 1 },
    machineType: 'M',
  };
}

function readEvents(driver: RunnerDriver, patienceMs: number): EventReader {
  const all: SupervisorEvent[] = [];
  const watchers = new Set<() => void>();
  driver.onEvent((event) => {
    all.push(event);
    for (const watch of watchers) watch();
  });
  return {
    all,
    until(isMatch) {
      return new Promise((resolve, reject) => {
        const timeout = setTimeout(() => {
          watchers.delete(watch);
          reject(new Error(`no such event within ${patienceMs} ms; seen: ${JSON.stringify(all)}`));
        }, patienceMs);
        const watch = (): void => {
          const found = all.find(isMatch);
          if (!found) return;
          clearTimeout(timeout);
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      });
    },
  };
}
