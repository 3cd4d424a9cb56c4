import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock, type BuildMessage, type SupervisorEvent } from '@lanner/protocol';
import { pino } from 'pino';
import { startFakeSupervisor, type FakeSupervisor } from './testing/fake-supervisor.ts';
import { readJsonLines } from './json-lines.ts';
import { createProcessDriver, type ProcessDriver } from './process-driver.ts';
import { createSupervisorLink, type SupervisorLink } from './supervisor-link.ts';
import { checkTcpPort } from './tcp-check.ts';

let folder: string;
let supervisor: FakeSupervisor;
let link: SupervisorLink;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanner-link-'));
  supervisor = await startFakeSupervisor({ socketPath: join(folder, 's.sock') });
  link = createSupervisorLink(supervisor.socketPath);
});

afterEach(async () => {
  await link.close();
  await supervisor.close();
  await rm(folder, { recursive: true, force: true });
});

const aRequest = (runnerId: string, behaviour: string) => ({
  runnerId,
  accountId: 'acc-1',
  accountOrdinal: 1,
  revisionId: 'rev-1',
  appName: 'owner/app',
  environment: { kind: 'virtualenv' as const, configuration: {} },
  callable: { kind: 'entrypoint' as const, entrypoint: behaviour },
  purpose: 'run' as const,
  runOnMainThread: true,
  startupTimeoutMs: 1_000,
  graceMs: 100,
  files: [],
  dataMounts: [],
  env: {},
  limits: { memoryMiB: 64, cpus: 1 },
});

describe('the link to a supervisor', () => {
  it('answers supervisor_unavailable when nobody listens', async () => {
    const nobody = createSupervisorLink(join(folder, 'nobody.sock'));
    await assert.rejects(nobody.status(), { code: 'supervisor_unavailable' });
    await nobody.close();
  });

  it('throws the error that the supervisor answered, with its code', async () => {
    await link.startRunner(aRequest('run-1', 'slow'));
    await assert.rejects(link.startRunner(aRequest('run-1', 'slow')), {
      code: 'already_exists',
      message: 'Runner run-1 exists.',
    });
  });

  it('throws the reason of a signal that is aborted while it waits for an answer', async () => {
    const silent = createServer(() => undefined);
    silent.listen(join(folder, 'silent.sock'));
    await once(silent, 'listening');
    const toSilent = createSupervisorLink(join(folder, 'silent.sock'));
    const caller = new AbortController();
    const asked = toSilent.status(caller.signal);
    caller.abort(new Error('enough'));
    await assert.rejects(asked, /enough/);
    await toSilent.close();
    silent.closeAllConnections();
    silent.close();
  });

  it('streams a build and ends with what became of it', async () => {
    const types = async (configuration: { requirements: string[] }): Promise<BuildMessage[]> => {
      const messages: BuildMessage[] = [];
      const request = {
        accountId: 'a',
        accountOrdinal: 1,
        environment: { kind: 'virtualenv' as const, configuration },
        force: false,
      };
      for await (const message of link.build(request, new AbortController().signal)) messages.push(message);
      return messages;
    };
    assert.deepEqual(
      (await types({ requirements: [] })).map((message) => message.type),
      ['log', 'done'],
    );
    const failed = (await types({ requirements: ['no-such-package'] })).at(-1)!;
    assert.equal(failed.type === 'failed' && failed.code, 'build_failed');
  });

  it('lets go of the connection when the reader of a stream leaves', async () => {
    for await (const event of link.events(0, new AbortController().signal)) {
      assert.equal(event.type, 'heartbeat');
      break;
    }
    assert.equal((await link.status()).bootId, supervisor.bootId);
  });
});

describe('a driver whose event stream breaks', () => {
  let driver: ProcessDriver;
  let events: SupervisorEvent[];
  let arrived: () => void;

  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) await new Promise<void>((resolve) => (arrived = resolve));
  };

  beforeEach(async () => {
    events = [];
    arrived = () => undefined;
    driver = createProcessDriver({
      dataDir: folder,
      supervisorEntry: '',
      clock: systemClock,
      log: pino({ level: 'silent' }),
      supervisor: {
        isAlive: () => true,
        endHanging: async () => false,
        end: async (session) => session.link.close(),
        ensure: async () => {
          const fresh = createSupervisorLink(supervisor.socketPath);
          return { link: fresh, status: await fresh.status(), adopted: true };
        },
      },
    });
    driver.onEvent((event) => {
      events.push(event);
      arrived();
    });
  });

  afterEach(() => driver.stop());

  it('resumes after the last event it saw: none is lost, none comes twice', async () => {
    await driver.start();
    for (let index = 0; index < 20; index += 1) {
      await driver.startRunner(aRequest(`run-${index}`, 'print'));
      if (index % 3 === 0) supervisor.cutStreams();
    }
    await until(() => events.filter((event) => event.type === 'runner.exited').length === 20);
    const numbers = events.map((event) => event.seq);
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => index + 1),
    );
  });

  it('acknowledges what was handled, though not each event by itself', async () => {
    await driver.start();
    await driver.startRunner(aRequest('run-1', 'print'));
    await until(() => events.some((event) => event.type === 'runner.exited'));
    const last = events.at(-1)!.seq;
    while (supervisor.ackedSeq < last) await new Promise((resolve) => void setTimeout(resolve, 5));
    assert.ok(supervisor.calls.filter((call) => call.endsWith('/ack')).length <= events.length);
  });

  it('goes on although a listener throws', async () => {
    driver.onEvent(() => {
      throw new Error('a defect');
    });
    await driver.start();
    await driver.startRunner(aRequest('run-1', 'return'));
    await until(() => events.some((event) => event.type === 'runner.exited'));
  });

  it('reports its runners as killed when another supervisor took the place of its own', async () => {
    await driver.start();
    await driver.startRunner({ ...aRequest('run-1', 'slow') });
    await until(() => events.some((event) => event.type === 'runner.phase'));
    await supervisor.crash();
    supervisor = await startFakeSupervisor({ socketPath: supervisor.socketPath });
    await until(() => events.some((event) => event.type === 'runner.exited'));
    const exited = events.find((event) => event.type === 'runner.exited')!;
    assert.equal(exited.type === 'runner.exited' && exited.exit.reason, 'killed');
  });
});

describe('an NDJSON stream', () => {
  const read = async (...chunks: string[]): Promise<unknown[]> => {
    const values: unknown[] = [];
    const source = (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })();
    for await (const value of readJsonLines(source)) values.push(value);
    return values;
  };

  it('is the same however it is cut', async () => {
    const text = '{"a":1}\n\n{"b":"ü\\n"}\n[3]\n';
    const bytes = Buffer.from(text);
    const whole = await read(text);
    assert.deepEqual(whole, [{ a: 1 }, { b: 'ü\n' }, [3]]);
    for (let size = 1; size < bytes.length; size += 1) {
      const values: unknown[] = [];
      const source = (async function* () {
        for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
      })();
      for await (const value of readJsonLines(source)) values.push(value);
      assert.deepEqual(values, whole);
    }
  });

  it('takes a last line without an end, but not one that was cut', async () => {
    assert.deepEqual(await read('1\n', '2'), [1, 2]);
    await assert.rejects(read('{"a":'), SyntaxError);
  });

  it('ends with an error where a line never does', async () => {
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(1024 * 1024, 97);
    })();
    await assert.rejects(async () => {
      for await (const _value of readJsonLines(endless));
    }, RangeError);
  });
});

describe('the TCP check', () => {
  it('says whether something accepts connections', async () => {
    const server = createTcpServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    assert.equal(await checkTcpPort('127.0.0.1', port), true);
    server.close();
    await once(server, 'close');
    assert.equal(await checkTcpPort('127.0.0.1', port), false);
  });
});
