import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock, type StartRunnerRequest, type SupervisorEvent } from '@lanner/protocol';
import { pino } from 'pino';
import { createProcessDriver, type ProcessDriver } from './process-driver.ts';
import { defaultSupervisorPatience, type SupervisorPatience } from './supervisor-patience.ts';
import { runnerDriverConformance, type RunnerBehaviour } from './testing/runner-driver.conformance.ts';

const supervisorEntry = fileURLToPath(new URL('./testing/fake-supervisor-main.ts', import.meta.url));
const log = pino({ level: 'silent' });
const createDriver = (dataDir: string): ProcessDriver =>
  createProcessDriver({ dataDir, supervisorEntry, clock: systemClock, log });
const dress = (request: StartRunnerRequest, behaviour: RunnerBehaviour): StartRunnerRequest => ({
  ...request,
  callable: { kind: 'entrypoint', entrypoint: behaviour },
});

runnerDriverConformance('processes, with a fake supervisor', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lanner-driver-'));
  return {
    createDriver: () => createDriver(dataDir),
    dress,
    patienceMs: 10_000,
    async close() {
      const driver = createDriver(dataDir);
      await driver.start();
      await driver.stop({ leaveSupervisor: false });
      await rm(dataDir, { recursive: true, force: true });
    },
  };
});

describe('the supervisor process', () => {
  let dataDir: string;
  let driver: ProcessDriver;
  let events: SupervisorEvent[];

  const pidOf = async (): Promise<number> => (await driver.status()).pid;
  const nextEvent = async (isMatch: (event: SupervisorEvent) => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = driver.onEvent((event) => isMatch(event) && resolve());
    if (events.some(isMatch)) resolve();
    await promise;
    stop();
  };
  const aRequest = (behaviour: RunnerBehaviour): StartRunnerRequest => ({
    runnerId: crypto.randomUUID(),
    accountId: 'acc-1',
    accountOrdinal: 1,
    revisionId: 'rev-1',
    appName: 'owner/app',
    environment: { kind: 'virtualenv', configuration: {} },
    callable: { kind: 'entrypoint', entrypoint: behaviour },
    purpose: 'serve',
    runOnMainThread: true,
    exposedPort: 8080,
    startupTimeoutMs: 10_000,
    graceMs: 100,
    files: [],
    dataMounts: [],
    env: {},
    limits: { memoryMiB: 64, cpus: 1 },
  });
  /** Waits until the driver answers again after its supervisor was lost. */
  const reconnected = async (previousPid: number): Promise<number> => {
    for (;;) {
      const pid = await pidOf().catch(() => previousPid);
      if (pid !== previousPid) return pid;
      await new Promise((resolve) => void setTimeout(resolve, 20));
    }
  };

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lanner-driver-'));
    driver = createDriver(dataDir);
    events = [];
    driver.onEvent((event) => void events.push(event));
  });

  afterEach(async () => {
    await driver.stop({ leaveSupervisor: false });
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is started when none runs, with a log file closed to others', async () => {
    const { adopted } = await driver.start();
    assert.equal(adopted, false);
    const { mode } = await import('node:fs/promises').then((fs) => fs.stat(join(dataDir, 'logs', 'supervisor.log')));
    assert.equal(mode & 0o077, 0);
  });

  it('is left running by stop, and adopted by the next driver', async () => {
    await driver.start();
    const pid = await pidOf();
    await driver.stop();
    driver = createDriver(dataDir);
    assert.equal((await driver.start()).adopted, true);
    assert.equal(await pidOf(), pid);
  });

  it('ends with stop when told so', async () => {
    await driver.start();
    const pid = await pidOf();
    await driver.stop({ leaveSupervisor: false });
    assert.throws(() => process.kill(pid, 0));
  });

  it('that is still coming up when the driver stops ends too', async () => {
    driver.prepare();
    await driver.stop({ leaveSupervisor: false });
    await new Promise((resolve) => void setTimeout(resolve, 300));
    const file = await readFile(join(dataDir, 'run', 'supervisor.json'), 'utf8').catch(() => null);
    if (file !== null) assert.throws(() => process.kill((JSON.parse(file) as { pid: number }).pid, 0), /ESRCH/);
  });

  it('is replaced when it speaks a version too old', async () => {
    await writeFile(join(dataDir, 'fake-supervisor.json'), JSON.stringify({ protocolVersion: -1 }));
    await driver.start();
    const pid = await pidOf();
    await driver.stop();
    await rm(join(dataDir, 'fake-supervisor.json'));
    driver = createDriver(dataDir);
    assert.equal((await driver.start()).adopted, false);
    assert.notEqual(await pidOf(), pid);
    assert.throws(() => process.kill(pid, 0));
  });

  it('is started when the file of a dead one is left', async () => {
    await driver.start();
    const pid = await pidOf();
    await driver.stop();
    process.kill(pid, 'SIGKILL');
    driver = createDriver(dataDir);
    assert.equal((await driver.start()).adopted, false);
  });

  it('that cannot start is told with the end of its log', async () => {
    await writeFile(join(dataDir, 'fake-supervisor.json'), JSON.stringify({ failWith: 'no user namespaces here' }));
    await assert.rejects(driver.start(), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'supervisor_unavailable');
      assert.match(error.message, /status 1 before it answered/);
      assert.match(error.message, /no user namespaces here/);
      return true;
    });
  });

  it('that dies is started again, its runners are told as killed, and new ones can start', async () => {
    await driver.start();
    const lost = aRequest('serve');
    await driver.startRunner(lost);
    await nextEvent((event) => event.type === 'runner.phase' && event.phase === 'ready');
    const pid = await pidOf();
    process.kill(pid, 'SIGKILL');
    await nextEvent((event) => event.type === 'runner.exited');
    const exits = events.filter((event) => event.type === 'runner.exited');
    assert.deepEqual(
      exits.map((event) => [event.runnerId, event.exit.reason]),
      [[lost.runnerId, 'killed']],
    );
    await reconnected(pid);
    events.length = 0;
    await driver.startRunner(aRequest('serve'));
    await nextEvent((event) => event.type === 'runner.phase' && event.phase === 'ready');
  });

  describe('that hangs', () => {
    const hasty = { ...defaultSupervisorPatience, answerMs: 200, silenceMs: 200, greetingMs: 50, endMarginMs: 100 };
    const open = (more: Partial<SupervisorPatience>): ProcessDriver => {
      const patience = { ...hasty, ...more };
      return createProcessDriver({ dataDir, supervisorEntry, clock: systemClock, log, patience });
    };
    let hung: number | null = null;
    const hang = (pid: number): void => {
      hung = pid;
      process.kill(pid, 'SIGSTOP');
    };
    const goOn = (): void => {
      if (hung !== null) process.kill(hung, 'SIGCONT');
      hung = null;
    };
    afterEach(() => {
      try {
        goOn();
      } catch {
        // It was killed, as it should be.
      }
    });

    it('is ended and replaced once it has not answered for too long; its runners are told as killed', async () => {
      driver = open({ hangMs: 400 });
      driver.onEvent((event) => void events.push(event));
      await driver.start();
      const lost = aRequest('serve');
      await driver.startRunner(lost);
      const pid = await pidOf();
      hang(pid);
      await nextEvent((event) => event.type === 'runner.exited' && event.runnerId === lost.runnerId);
      assert.notEqual(await reconnected(pid), pid);
      assert.throws(() => process.kill(pid, 0), /ESRCH/);
    });

    it('for a while only goes on with its runners', async () => {
      driver = open({ hangMs: 600_000 });
      driver.onEvent((event) => void events.push(event));
      await driver.start();
      await driver.startRunner(aRequest('serve'));
      await nextEvent((event) => event.type === 'runner.phase' && event.phase === 'ready');
      const pid = await pidOf();
      hang(pid);
      await assert.rejects(driver.status(), { code: 'supervisor_unavailable' });
      goOn();
      await driver.startRunner(aRequest('serve'));
      assert.equal(await pidOf(), pid);
      assert.equal(
        events.some((event) => event.type === 'runner.exited'),
        false,
      );
    });

    it('and is found at start is waited for, then named with what to do', async () => {
      driver = open({});
      await driver.start();
      const pid = await pidOf();
      await driver.stop();
      hang(pid);
      driver = open({ adoptionMs: 100 });
      await assert.rejects(driver.start(), (error: { code: string; message: string }) => {
        assert.equal(error.code, 'supervisor_unavailable');
        assert.match(error.message, new RegExp(`pid ${pid}\\) runs but does not answer.*lanner stop`));
        return true;
      });
      await driver.stop();
      const patient = open({ adoptionMs: 60_000 });
      const started = patient.start();
      goOn();
      assert.equal((await started).adopted, true);
      driver = patient;
    });

    it('is killed when it is told to end', async () => {
      driver = open({});
      await driver.start();
      const pid = await pidOf();
      hang(pid);
      await driver.stop({ leaveSupervisor: false, graceMs: 0 });
      assert.throws(() => process.kill(pid, 0), /ESRCH/);
    });
  });

  it('refuses calls with supervisor_unavailable before it is there', async () => {
    await assert.rejects(driver.startRunner(aRequest('serve')), { code: 'supervisor_unavailable' });
    await assert.rejects(driver.status(), { code: 'supervisor_unavailable' });
  });

  it('leaves its log to be read after it ended', async () => {
    await writeFile(join(dataDir, 'fake-supervisor.json'), JSON.stringify({ failWith: 'first' }));
    await assert.rejects(driver.start());
    assert.equal(await readFile(join(dataDir, 'logs', 'supervisor.log'), 'utf8'), 'first\n');
  });
});
