/**
 * The queue of a whole platform over HTTP: how fast submits are acknowledged, how soon a request is at the app, how many jobs
 * go through, and what a long line changes. Callers are a process of their own (bench/gateway/load.ts).
 * `node bench/queue-http.ts [--waiting 100000] [--seconds 3] [--only latency,jobs,submit,waiting]`
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs, promisify } from 'node:util';
import { startPlatform } from '../test/system/platform.ts';

const { values } = parseArgs({
  options: { waiting: { type: 'string' }, seconds: { type: 'string' }, only: { type: 'string' } },
});
const waitingCount = Number(values.waiting ?? 100_000);
const seconds = Number(values.seconds ?? 3);
const parts = new Set((values.only ?? 'latency,jobs,submit,waiting').split(','));
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const at = (times: number[], share: number): string =>
  times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * share)]!.toFixed(2);

print(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`);
const platform = await startPlatform();
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

interface Answer {
  status: number;
  body: Record<string, unknown>;
  ms: number;
  atMs: number;
}
const state = (): { httpPort: number; pid: number } =>
  JSON.parse(readFileSync(join(platform.dataDir, 'run/server.json'), 'utf8')) as { httpPort: number; pid: number };
const call = (method: string, path: string, body = ''): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const headers = {
      authorization: `Key ${platform.variables['FAL_KEY']}`,
      ...(body === '' ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    };
    request(
      {
        host: '127.0.0.1',
        port: state().httpPort,
        agent,
        method,
        path: `/queue/${platform.owner}/noop${path}`,
        headers,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => {
          const endedMs = performance.now();
          const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
          const atMs = performance.timeOrigin + endedMs;
          resolve({ status: response.statusCode ?? 0, body: parsed, ms: endedMs - startedMs, atMs });
        });
      },
    )
      .on('error', reject)
      .end(body);
  });
const resultOf = async (requestId: unknown): Promise<Record<string, unknown>> => {
  for (;;) {
    const { status, body } = await call('GET', `/requests/${String(requestId)}`);
    if (status === 200) return body;
    if (status !== 400) throw new Error(`${status}: ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
};
/** Callers in a process of their own. */
const load = async (
  path: string,
  callers: number,
  forSeconds: number,
  body: string,
): Promise<{ text: string; calls: number }> => {
  const script = join(import.meta.dirname, 'gateway/load.ts');
  const args = [
    script,
    String(state().httpPort),
    `/queue/${platform.owner}/noop${path}`,
    String(callers),
    String(forSeconds),
  ];
  const env = { ...process.env, LOAD_KEY: platform.variables['FAL_KEY'] ?? '', LOAD_BODY: body };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  const { callsPerSecond, p50Ms, p99Ms, calls, failures } = JSON.parse(stdout) as Record<string, number>;
  if (failures! > 0) throw new Error(`${failures} of ${calls} calls failed`);
  return { text: `${callsPerSecond}/s, p50 ${p50Ms!.toFixed(2)} ms, p99 ${p99Ms!.toFixed(2)} ms`, calls: calls! };
};

/** CPU seconds that server and supervisor have used: says more than a clock while others use the machine. */
const cpuSeconds = (): { server: number; supervisor: number } => {
  const of = (pid: number): number => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  };
  const supervisor = Number(readFileSync(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
  return { server: of(platform.serverPid), supervisor: of(supervisor) };
};

async function measureLatency(): Promise<void> {
  const times: number[] = [];
  const submits: number[] = [];
  for (let round = 0; round < 600; round += 1) {
    const { body, ms, atMs } = await call('POST', '/', '{}');
    const { at: arrivedSeconds } = await resultOf(body['request_id']);
    if (round < 100) continue;
    submits.push(ms);
    times.push(Number(arrivedSeconds) * 1000 - atMs);
  }
  print(`submit acknowledged → request at the app, one caller: p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms`);
  print(`submit, one caller: p50 ${at(submits, 0.5)} ms, p99 ${at(submits, 0.99)} ms`);
}

/** Callers submit as fast as they are answered; the clock stops at the result of what came last. */
async function measureJobs(): Promise<void> {
  const before = cpuSeconds();
  const startedMs = performance.now();
  const { text, calls } = await load('/', 16, seconds, '{}');
  const submittedMs = performance.now();
  await resultOf((await call('POST', '/', '{}')).body['request_id']);
  const endedMs = performance.now();
  const after = cpuSeconds();
  // Starting the callers' process is no part of it.
  const tookSeconds = seconds + 0.5 + (endedMs - submittedMs) / 1000;
  print(
    `no-op jobs, 16 callers: ${Math.round(calls / tookSeconds)} jobs/s; submits ${text}; ` +
      `${((endedMs - submittedMs) / 1000).toFixed(1)} s of ${((endedMs - startedMs) / 1000).toFixed(1)} s until the last was done`,
  );
  const perJob = (name: 'server' | 'supervisor'): string => (((after[name] - before[name]) / calls) * 1e6).toFixed(0);
  print(`CPU a job: server ${perJob('server')} µs, supervisor ${perJob('supervisor')} µs`);
}

/** Takes every slot, so that what is submitted waits. */
async function hold(): Promise<void> {
  const held = await Promise.all(Array.from({ length: 16 }, () => call('POST', '/hold', '{}')));
  for (const { body } of held) {
    while ((await call('GET', `/requests/${String(body['request_id'])}/status`)).body['status'] !== 'IN_PROGRESS');
  }
}

const kilobyte = JSON.stringify({ prompt: 'x'.repeat(1_000) });

async function measureWaiting(): Promise<void> {
  const { body } = await call('POST', '/', kilobyte);
  await platform.killServer();
  const database = new DatabaseSync(join(platform.dataDir, 'lanner.db'));
  const columns = (table: string): string[] =>
    database
      .prepare(`SELECT name FROM pragma_table_info('${table}')`)
      .all()
      .map(({ name }) => String(name));
  const sample = database
    .prepare('SELECT number FROM queue_requests WHERE request_id = ?')
    .get(String(body['request_id']))!;
  const copy = (table: string, changed: Record<string, string>): void => {
    const names = columns(table);
    database.exec(
      `INSERT INTO ${table} (${names.join(', ')}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${waitingCount})
       SELECT ${names.map((name) => changed[name] ?? name).join(', ')} FROM n, ${table} WHERE number = ${Number(sample['number'])}`,
    );
  };
  database.exec('BEGIN');
  copy('queue_requests', { number: 'number + i', request_id: "printf('00000000-0000-4000-8000-%012d', i)" });
  copy('queue_inputs', { number: 'number + i' });
  database.exec('COMMIT');
  database.close();
  const startedMs = performance.now();
  await platform.startServer();
  const tookSeconds = (performance.now() - startedMs) / 1000;
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${platform.serverPid}/status`, 'utf8'))![1]) / 1000;
  print(`${waitingCount} waiting: start-up ${tookSeconds.toFixed(1)} s, server ${rss.toFixed(0)} MB`);
  const times: number[] = [];
  for (let round = 0; round < 1_000; round += 1) {
    const id = `00000000-0000-4000-8000-${String(1 + Math.floor(Math.random() * waitingCount)).padStart(12, '0')}`;
    const { status, body: answer, ms } = await call('GET', `/requests/${id}/status`);
    if (status !== 202 || answer['status'] !== 'IN_QUEUE') throw new Error(JSON.stringify(answer));
    times.push(ms);
  }
  print(`${waitingCount} waiting: status with position: p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms`);
  print(`${waitingCount} waiting: submit, 1 KiB, 16 callers: ${(await load('/', 16, seconds, kilobyte)).text}`);
}

try {
  const deployed = await platform.fal(['deploy', 'bench/queue/noop.py::noop', '--auth', 'private']);
  if (deployed.code !== 0) throw new Error(deployed.stdout + deployed.stderr);
  await resultOf((await call('POST', '/', '{}')).body['request_id']);
  if (parts.has('latency')) await measureLatency();
  if (parts.has('jobs')) await measureJobs();
  if (parts.has('submit') || parts.has('waiting')) await hold();
  if (parts.has('submit')) {
    const before = cpuSeconds().server;
    const { text, calls } = await load('/', 16, seconds, kilobyte);
    const cpu = ((cpuSeconds().server - before) / calls) * 1e6;
    print(`submit, 1 KiB, 16 callers: ${text}; ${cpu.toFixed(0)} µs of the server's CPU each`);
  }
  if (parts.has('waiting')) await measureWaiting();
} finally {
  agent.destroy();
  await platform.stop();
}
