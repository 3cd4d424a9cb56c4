import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createApiClient, type ApiClient } from './testing/api-client.ts';
import { httpServer, sleeper } from './testing/app-sources.ts';
import { eventually } from './testing/eventually.ts';
import { freePort } from './testing/free-port.ts';
import { isRunning } from './testing/pids.ts';
import { makeDataDir, startTestSupervisor, type TestSupervisor } from './testing/test-supervisor.ts';
import { descendantsOf } from './zygotes/host-pid.ts';

interface Process {
  child: ChildProcess;
  api: ApiClient;
  facts: { pid: number; socket: string; bootId: string; protocolVersion: number };
  errors: () => string;
}

const entry = fileURLToPath(new URL('./main.ts', import.meta.url));

describe('the supervisor process', () => {
  /** Builds the environment and pickles; the processes under test use its data folder after it has ended. */
  let test: TestSupervisor;
  let port: number;
  const started = new Set<ChildProcess>();
  before(async () => {
    port = await freePort();
    test = await startTestSupervisor();
    await test.supervisor.stop(0);
  });
  after(async () => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await test?.stop();
  });

  const launch = (dataDir: string, ...args: string[]): { child: ChildProcess; errors: () => string } => {
    const child = spawn(process.execPath, [entry, '--data-dir', dataDir, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    started.add(child);
    let text = '';
    child.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { child, errors: () => text };
  };
  const begin = async (...args: string[]): Promise<Process> => {
    const { child, errors } = launch(test.dataDir, ...args);
    const path = join(test.dataDir, 'run/supervisor.json');
    const facts = await eventually(`supervisor.json (${errors()})`, async () => {
      const text = await readFile(path, 'utf8').catch(() => undefined);
      const value = text === undefined ? undefined : (JSON.parse(text) as Process['facts']);
      return value?.pid === child.pid ? value : undefined;
    });
    return { child, errors, facts, api: createApiClient(facts.socket) };
  };
  const ended = async (child: ChildProcess): Promise<[number | null, string | null]> =>
    child.exitCode !== null || child.signalCode !== null
      ? [child.exitCode, child.signalCode]
      : ((await once(child, 'exit')) as [number | null, string | null]);
  const isAnswering = (address: string): Promise<boolean> =>
    fetch(`http://${address}:${port}/`).then(
      () => true,
      () => false,
    );

  it('tells where it is, refuses a second one, and cleans up after SIGTERM, its runners included', async () => {
    const { child, api, facts } = await begin();
    assert.equal(Number(await readFile(join(test.dataDir, 'run/supervisor.pid'), 'utf8')), child.pid);
    assert.equal((await stat(facts.socket)).mode & 0o777, 0o600);
    assert.equal((await api.status()).bootId, facts.bootId);

    const second = launch(test.dataDir);
    assert.deepEqual(await ended(second.child), [75, null]);
    assert.match(second.errors(), /Another supervisor uses this data folder/);
    assert.equal((await api.status()).pid, child.pid, 'the first is not disturbed');

    const stream = await api.openEvents();
    const request = await test.request(httpServer(port), { purpose: 'serve', exposedPort: port });
    const { address } = await api.startRunner(request);
    await stream.find((event) => event.type === 'runner.phase' && event.phase === 'ready');
    const pids = descendantsOf(child.pid!);
    assert.ok(pids.length > 0);
    child.kill('SIGTERM');
    const exit = await stream.find((event) => event.type === 'runner.exited');
    assert.equal(exit.type === 'runner.exited' && exit.exit.reason, 'stopped');
    assert.deepEqual(await ended(child), [0, null]);
    assert.equal(await isAnswering(address), false);
    await eventually('nothing of it runs', () => pids.every((pid) => !isRunning(pid)));
    for (const name of ['supervisor.pid', 'supervisor.json', 'supervisor.sock']) {
      assert.equal(existsSync(join(test.dataDir, 'run', name)), false, name);
    }
  });

  it('takes its runners with it when it is killed, and the next one starts at once', async () => {
    const { child, api } = await begin();
    const stream = await api.openEvents();
    const request = await test.request(httpServer(port), { purpose: 'serve', exposedPort: port });
    const { address } = await api.startRunner(request);
    await stream.find((event) => event.type === 'runner.phase' && event.phase === 'ready');
    assert.equal(await isAnswering(address), true);
    const pids = descendantsOf(child.pid!);
    child.kill('SIGKILL');
    await ended(child);
    await eventually('no orphan survives', () => pids.every((pid) => !isRunning(pid)));
    assert.equal(await isAnswering(address), false);

    const next = await begin();
    assert.deepEqual((await next.api.status()).runners, []);
    next.child.kill('SIGTERM');
    await ended(next.child);
  });

  it('outlives its server: events and runners are there for the next one', async () => {
    const { child, api, facts } = await begin();
    const first = await api.openEvents();
    const request = await test.request('def main():\n    print("once")\n    return 7');
    await api.startRunner(request);
    await first.find((event) => event.type === 'runner.phase');
    first.close();
    await eventually('it ended unseen', async () => (await api.status()).runners[0]?.phase === 'exited');

    const again = await api.openEvents(first.events.at(-1)!.seq);
    await again.find((event) => event.type === 'runner.exited');
    const sequence = [...first.events, ...again.events]
      .filter((event) => event.type !== 'heartbeat')
      .map(({ seq }) => seq);
    assert.deepEqual(
      sequence,
      sequence.map((_, index) => index + 1),
      'each event once, in order',
    );
    const { bootId } = facts;
    assert.equal((await api.call('POST', '/v1/events/ack', { bootId: 'another', seq: 1 })).status, 409);
    assert.equal((await api.call('POST', '/v1/events/ack', { bootId, seq: sequence.length })).status, 204);
    assert.deepEqual((await api.status()).runners, []);

    child.kill('SIGKILL');
    await ended(child);
    const next = await begin();
    const result = await next.api.call('GET', `/v1/runners/${request.runnerId}/result`);
    assert.equal(result.status, 200, 'a result that nobody fetched is on disk');
    assert.equal((await next.api.call('POST', '/v1/shutdown', { graceMs: 0 })).status, 204);
    assert.deepEqual(await ended(next.child), [0, null]);
  });

  it('ends with its runners when no server holds the lease', async () => {
    const { child, api } = await begin('--lease-ms', '3000');
    const stream = await api.openEvents();
    await api.startRunner(await test.request(sleeper, { purpose: 'serve', exposedPort: port }));
    await stream.find((event) => event.type === 'runner.phase' && event.phase === 'setup');
    const pids = descendantsOf(child.pid!);
    stream.close();
    assert.deepEqual(await ended(child), [0, null]);
    await eventually('no orphan survives', () => pids.every((pid) => !isRunning(pid)));
  });

  it('finds a place for its socket when the data folder’s path is long', async () => {
    const base = await makeDataDir();
    const dataDir = join(base, 'long'.repeat(20), 'data');
    try {
      await mkdir(dataDir, { recursive: true });
      await cp(join(test.dataDir, 'blobs'), join(dataDir, 'blobs'), { recursive: true });
      const { child } = launch(dataDir);
      const path = join(dataDir, 'run/supervisor.json');
      const text = await eventually('supervisor.json', () => readFile(path, 'utf8').catch(() => undefined));
      const { socket } = JSON.parse(text) as Process['facts'];
      assert.ok(!socket.startsWith(dataDir) && socket.length < 100, socket);
      assert.equal((await createApiClient(socket).status()).pid, child.pid);
      child.kill('SIGINT');
      assert.deepEqual(await ended(child), [0, null]);
      assert.equal(existsSync(socket), false);
    } finally {
      await rm(base, { recursive: true, force: true });
    }
  });

  it('says how it is called', async () => {
    const { child, errors } = launch('');
    assert.deepEqual(await ended(child), [2, null]);
    assert.match(errors(), /usage/);
  });
});
