/**
 * Budgets of the whole platform, measured on real processes: `lanner serve` in a temporary folder, the official client
 * deploying, plain HTTP calls. Prints one table; see bench/README.md.
 *
 * Usage: node bench/platform.ts [--calls 40]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SupervisorStatus } from '@lanner/protocol';
import { repositoryRoot, startPlatform, type Platform } from '../test/system/platform.ts';

const { values } = parseArgs({ options: { calls: { type: 'string', default: '40' } } });
const coldCalls = Number(values.calls);

interface Row {
  measure: string;
  result: string;
  budget: string;
  isMet: boolean;
}
const rows: Row[] = [];

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** One POST over the clear-text port; resolves with the time to the first byte of the answer. */
function timeToFirstByteMs(platform: Platform, path: string, body: string): Promise<{ ms: number; status: number }> {
  const state = serverState(platform);
  return new Promise((settle, reject) => {
    const startedAtMs = performance.now();
    const call = request(
      {
        host: '127.0.0.1',
        port: state.httpPort,
        path: `/run/${platform.owner}${path}`,
        method: 'POST',
        headers: { authorization: `Key ${platform.variables['FAL_KEY']}`, 'content-type': 'application/json' },
      },
      (response) => {
        const ms = performance.now() - startedAtMs;
        response.resume().on('end', () => settle({ ms, status: response.statusCode ?? 0 }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** PSS in MiB and CPU seconds of a process and all its descendants that are part of the platform itself. */
function usageOf(pids: number[]): { pssMiB: number; cpuSeconds: number } {
  let pssKiB = 0;
  let ticks = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    pssKiB += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return { pssMiB: pssKiB / 1024, cpuSeconds: ticks / 100 };
}

function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // it ended while we looked
    }
  }
  const found: number[] = [];
  const visit = (current: number): void => {
    for (const child of children.get(current) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

async function measureStart(): Promise<void> {
  const timesMs: number[] = [];
  for (let round = 0; round < 4; round++) {
    const home = mkdtempSync(join(tmpdir(), 'lanner-bench-'));
    const startedAtMs = performance.now();
    const server = spawn(
      process.execPath,
      [
        join(repositoryRoot, 'packages/cli/bin/lanner.js'),
        'serve',
        '--data-dir',
        home,
        '--port',
        '0',
        '--http-port',
        '0',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    await new Promise<void>((settle, reject) => {
      let seen = '';
      const look = (text: Buffer): void => {
        seen += text.toString();
        if (/ready/i.test(seen)) settle();
      };
      server.stdout.on('data', look);
      server.stderr.on('data', look);
      server.on('exit', () => reject(new Error(seen)));
    });
    timesMs.push(performance.now() - startedAtMs);
    const ended = new Promise((settle) => server.once('exit', settle));
    server.removeAllListeners('exit');
    server.once('exit', () => undefined);
    const gone = new Promise((settle) => server.once('close', settle));
    server.kill('SIGTERM');
    await Promise.race([ended, gone]);
    rmSync(home, { recursive: true, force: true });
  }
  const best = [...timesMs.slice(1)].sort((a, b) => a - b);
  const medianMs = percentile(best, 0.5);
  rows.push({
    measure: 'lanner serve → ready (new folder)',
    result: `${medianMs.toFixed(0)} ms`,
    budget: '≤ 700 ms',
    isMet: medianMs <= 700,
  });
}

async function measureColdStarts(platform: Platform): Promise<void> {
  const deployed = await platform.fal(['deploy', 'examples/hello/app.py::Hello', '--strategy', 'recreate']);
  if (deployed.code !== 0) throw new Error(deployed.stdout + deployed.stderr);
  const first = await timeToFirstByteMs(platform, '/hello/', '{}');
  if (first.status !== 200) throw new Error(`the first call answered ${first.status}`);
  const timesMs: number[] = [];
  for (let round = 0; round < coldCalls; round++) {
    await platform.fal(['apps', 'rollout', 'hello', '--force']);
    const { ms, status } = await timeToFirstByteMs(platform, '/hello/', '{}');
    if (status !== 200) throw new Error(`a cold call answered ${status}`);
    timesMs.push(ms);
  }
  timesMs.sort((a, b) => a - b);
  const [p50, p99] = [percentile(timesMs, 0.5), percentile(timesMs, 0.99)];
  rows.push({
    measure: `scale from zero, zygote warm (${coldCalls} calls)`,
    result: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    budget: 'p50 ≤ 50 ms, p99 ≤ 120 ms',
    isMet: p50 <= 50 && p99 <= 120,
  });
}

async function measureWithoutZygote(platform: Platform): Promise<void> {
  const timesMs: number[] = [];
  for (let round = 0; round < 3; round++) {
    await platform.fal(['apps', 'rollout', 'hello', '--force']);
    await platform.killServer();
    const supervisor = Number(readFileSync(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
    process.kill(supervisor, 'SIGKILL');
    await platform.startServer();
    const { ms, status } = await timeToFirstByteMs(platform, '/hello/', '{}');
    if (status !== 200) throw new Error(`a call without zygote answered ${status}`);
    timesMs.push(ms);
  }
  timesMs.sort((a, b) => a - b);
  const p50 = percentile(timesMs, 0.5);
  rows.push({
    measure: 'the same, environment built, no zygote yet',
    result: `${p50.toFixed(0)} ms`,
    budget: '≤ 600 ms',
    isMet: p50 <= 600,
  });
}

async function measureRedeploy(platform: Platform): Promise<void> {
  const script = `
import time
from fal.api import SyncServerlessClient
import fal.sdk
spent = 0.0
for name in ("build_environment", "register"):
    original = getattr(fal.sdk.FalServerlessConnection, name)
    def timed(self, *args, _original=original, **kwargs):
        global spent
        started = time.perf_counter()
        for item in _original(self, *args, **kwargs):
            spent += time.perf_counter() - started
            yield item
            started = time.perf_counter()
        spent += time.perf_counter() - started
    setattr(fal.sdk.FalServerlessConnection, name, timed)
SyncServerlessClient().deploy("examples/hello/app.py::Hello", strategy="recreate")
spent = 0.0
SyncServerlessClient().deploy("examples/hello/app.py::Hello", strategy="recreate")
print("SPENT", spent)
`;
  const { stdout, stderr } = await platform.python(script);
  const seconds = Number(/SPENT ([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN);
  if (Number.isNaN(seconds)) throw new Error(stdout + stderr);
  rows.push({
    measure: "deploy again, nothing changed: server's share",
    result: `${(seconds * 1000).toFixed(0)} ms`,
    budget: '≤ 500 ms',
    isMet: seconds <= 0.5,
  });
}

/** Callers against the running app, straight and through the platform, in turns. */
async function measureThroughput(platform: Platform): Promise<void> {
  await platform.fal(['apps', 'scale', 'hello', '--max-concurrency', '1', '--max-multiplexing', '64']);
  if ((await timeToFirstByteMs(platform, '/hello/', '{}')).status !== 200) throw new Error('hello does not answer');
  const runner = (await supervisorStatus(platform)).runners.find(({ phase }) => phase === 'ready');
  if (!runner) throw new Error('no ready runner');
  const { httpPort } = serverState(platform);
  const direct: number[] = [];
  const through: number[] = [];
  for (let round = 0; round < 3; round++) {
    direct.push(load(runner.address, 8080, '/', ''));
    through.push(load('127.0.0.1', httpPort, `/run/${platform.owner}/hello/`, platform.variables['FAL_KEY'] ?? ''));
  }
  const median = (values: number[]): number =>
    percentile(
      [...values].sort((a, b) => a - b),
      0.5,
    );
  const ratio = median(through) / median(direct);
  rows.push({
    measure: 'sync calls/s at 32 callers before fal.App, clear text',
    result: `${median(through)}/s against ${median(direct)}/s direct: ${ratio.toFixed(2)}×`,
    budget: '≥ 0.9×',
    isMet: ratio >= 0.9,
  });
}

function load(host: string, port: number, path: string, key: string): number {
  const output = execFileSync(
    process.execPath,
    [join(import.meta.dirname, 'gateway/load.ts'), String(port), path, '32', '3'],
    {
      encoding: 'utf8',
      env: { ...process.env, LOAD_HOST: host, LOAD_KEY: key, LOAD_BODY: '{}' },
    },
  );
  const { callsPerSecond, failures } = JSON.parse(output) as { callsPerSecond: number; failures: number };
  if (failures > 0) throw new Error(`${failures} calls failed`);
  return callsPerSecond;
}

function serverState(platform: Platform): { tlsPort: number; httpPort: number } {
  return JSON.parse(readFileSync(join(platform.dataDir, 'run/server.json'), 'utf8')) as {
    tlsPort: number;
    httpPort: number;
  };
}

function supervisorStatus(platform: Platform): Promise<SupervisorStatus> {
  const { socket } = JSON.parse(readFileSync(join(platform.dataDir, 'run/supervisor.json'), 'utf8')) as {
    socket: string;
  };
  return new Promise((settle, reject) => {
    request({ socketPath: socket, path: '/v1/status' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => settle(JSON.parse(text) as SupervisorStatus));
    })
      .on('error', reject)
      .end();
  });
}

async function measureIdle(platform: Platform): Promise<void> {
  await platform.fal(['apps', 'delete', 'hello']);
  const supervisor = Number(readFileSync(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
  const pids = [platform.serverPid, supervisor];
  await new Promise((settle) => setTimeout(settle, 5_000));
  const before = usageOf(pids);
  const windowSeconds = 30;
  await new Promise((settle) => setTimeout(settle, windowSeconds * 1000));
  const after = usageOf(pids);
  const cpuPercent = (100 * (after.cpuSeconds - before.cpuSeconds)) / windowSeconds;
  const zygotes = descendantsOf(supervisor);
  rows.push({
    measure: 'idle, server + supervisor',
    result: `${after.pssMiB.toFixed(0)} MiB PSS, ${cpuPercent.toFixed(2)} % of a core (zygotes beside it: ${zygotes.length} processes, ${usageOf(zygotes).pssMiB.toFixed(0)} MiB)`,
    budget: '≤ 150 MiB, ≤ 0.5 %',
    isMet: after.pssMiB <= 150 && cpuPercent <= 0.5,
  });
}

await measureStart();
const platform = await startPlatform();
try {
  await measureColdStarts(platform);
  await measureRedeploy(platform);
  await measureThroughput(platform);
  await measureWithoutZygote(platform);
  await measureIdle(platform);
} finally {
  await platform.stop();
}
const python = execFileSync('python3', ['--version'], { encoding: 'utf8' }).trim();
process.stdout.write(
  `\n${cpus().length} × ${cpus()[0]?.model.trim() ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${python}, ${new Date().toISOString().slice(0, 10)}\n\n`,
);
process.stdout.write('| measure | result | budget | met |\n|---|---|---|---|\n');
for (const row of rows)
  process.stdout.write(`| ${row.measure} | ${row.result} | ${row.budget} | ${row.isMet ? 'yes' : 'no'} |\n`);
