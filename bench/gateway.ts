/**
 * What the gateway costs: added latency at one caller, throughput at 32, memory during a 1 GiB answer. Compares, in turns,
 * calls straight to an app with calls through the gateway alone (no scheduler), each in a process of its own; and, behind
 * the platform's own ports, clear text with TLS.
 *
 * Usage: node bench/gateway.ts [--python PATH] [--rounds 5] [--seconds 2]
 * PATH: an interpreter with fastapi and uvicorn[standard]; without it only the bare-socket app is measured.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});
const rounds = Number(values.rounds);
const folder = join(import.meta.dirname, 'gateway');
const children: ChildProcess[] = [];
const caFolder = mkdtempSync(join(tmpdir(), 'lanner-bench-'));

interface Load {
  callsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** All of them, warm-up included. */
  calls: number;
  failures: number;
}

interface Started {
  process: ChildProcess;
  port: number;
  nextLine(): Promise<string>;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function startNode(script: string, ...rest: string[]): Promise<Started> {
  const child = spawn(process.execPath, [join(folder, script), ...rest], { stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => (await lines.next()).value as string;
  return { process: child, port: Number(await nextLine()), nextLine };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startPython(python: string): Promise<number> {
  const port = await freePort();
  const child = spawn(
    python,
    ['-m', 'uvicorn', 'upstream:app', '--port', String(port), '--log-level', 'info', '--no-access-log'],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  children.push(child);
  for await (const line of createInterface({ input: child.stderr })) if (line.includes('running on')) return port;
  throw new Error('uvicorn did not start: does this Python have fastapi and uvicorn[standard]?');
}

async function load(port: number, path: string, callers: number, isTls = false): Promise<Load> {
  const args = [join(folder, 'load.ts'), String(port), path, String(callers), values.seconds];
  return JSON.parse(await spawnText(args, isTls ? { LOAD_TLS: '1' } : {})) as Load;
}

async function spawnText(args: string[], variables: Record<string, string>): Promise<string> {
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  children.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  return text;
}

const median = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const spread = (numbers: number[], digits: number): string =>
  `${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)}`;

/** Resident memory and CPU time of a gateway process. */
async function usageOf(gateway: Started): Promise<{ residentBytes: number; cpuUs: number }> {
  gateway.process.stdin!.write('\n');
  const [residentBytes, cpuUs] = (await gateway.nextLine()).split(' ').map(Number);
  return { residentBytes: residentBytes!, cpuUs: cpuUs! };
}

/** Direct and through the gateway in turns, so that a busy moment of the machine hits both. */
async function compare(name: string, upstreamPort: number, gateway: Started): Promise<void> {
  for (const callers of [1, 32]) {
    const direct: Load[] = [];
    const through: Load[] = [];
    const cpuBeforeUs = (await usageOf(gateway)).cpuUs;
    for (let round = 0; round < rounds; round += 1) {
      direct.push(await load(upstreamPort, '/', callers));
      through.push(await load(gateway.port, '/bench/hello', callers));
    }
    const cpuUs = (await usageOf(gateway)).cpuUs - cpuBeforeUs;
    const calls = through.reduce((sum, one) => sum + one.calls, 0);
    const failures = [...direct, ...through].reduce((sum, one) => sum + one.failures, 0);
    if (failures > 0) throw new Error(`${failures} calls failed`);
    const added = (key: 'p50Ms' | 'p99Ms'): number[] => through.map((one, index) => one[key] - direct[index]![key]);
    const ratios = through.map((one, index) => one.callsPerSecond / direct[index]!.callsPerSecond);
    print(
      `${name}, ${callers} caller${callers === 1 ? '' : 's'}: ` +
        `direct ${median(direct.map((one) => one.callsPerSecond))}/s, ` +
        `gateway ${median(through.map((one) => one.callsPerSecond))}/s, ` +
        `ratio ${median(ratios).toFixed(2)} (${spread(ratios, 2)}); ` +
        `added p50 ${median(added('p50Ms')).toFixed(3)} ms (${spread(added('p50Ms'), 3)}), ` +
        `added p99 ${median(added('p99Ms')).toFixed(3)} ms (${spread(added('p99Ms'), 3)}); ` +
        `${(cpuUs / calls).toFixed(0)} µs of CPU a call`,
    );
  }
}

/** The same calls through the platform's clear-text port and its TLS port, over kept connections, in turns. */
async function compareTls(name: string, front: Started): Promise<void> {
  const tlsPort = Number(await front.nextLine());
  for (const callers of [1, 32]) {
    const clear: Load[] = [];
    const tls: Load[] = [];
    for (let round = 0; round < rounds; round += 1) {
      clear.push(await load(front.port, '/run/bench/hello', callers));
      tls.push(await load(tlsPort, '/run/bench/hello', callers, true));
    }
    const failures = [...clear, ...tls].reduce((sum, one) => sum + one.failures, 0);
    if (failures > 0) throw new Error(`${failures} calls failed`);
    const added = tls.map((one, index) => one.p50Ms - clear[index]!.p50Ms);
    const ratios = tls.map((one, index) => one.callsPerSecond / clear[index]!.callsPerSecond);
    print(
      `${name} behind the ports, ${callers} caller${callers === 1 ? '' : 's'}: ` +
        `clear text ${median(clear.map((one) => one.callsPerSecond))}/s, ` +
        `TLS ${median(tls.map((one) => one.callsPerSecond))}/s, ` +
        `ratio ${median(ratios).toFixed(2)} (${spread(ratios, 2)}); ` +
        `added p50 ${median(added).toFixed(3)} ms (${spread(added, 3)})`,
    );
  }
}

/** Growth of the gateway's resident memory while one caller reads a large answer as fast as it can. */
async function measureMemory(gateway: Started, sizeBytes: number): Promise<void> {
  const memory = async (): Promise<number> => (await usageOf(gateway)).residentBytes;
  const read = async (bytes: number, onTick?: () => void): Promise<void> => {
    const call = request({
      host: '127.0.0.1',
      port: gateway.port,
      path: `/bench/hello/bytes/${bytes}`,
      headers: { authorization: 'Key id:secret' },
      agent: false,
    }).end();
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
    let left = bytes;
    let sinceTick = 0;
    for await (const chunk of response) {
      left -= (chunk as Buffer).length;
      sinceTick += (chunk as Buffer).length;
      if (sinceTick < 32 * 1024 ** 2) continue;
      sinceTick = 0;
      onTick?.();
    }
    if (left !== 0) throw new Error(`${left} bytes of the answer are missing`);
  };
  await read(16 * 1024 ** 2);
  const beforeBytes = await memory();
  let peakBytes = beforeBytes;
  const samples: Promise<void>[] = [];
  const startedAtMs = performance.now();
  await read(sizeBytes, () => {
    samples.push(memory().then((bytes) => void (peakBytes = Math.max(peakBytes, bytes))));
  });
  const seconds = (performance.now() - startedAtMs) / 1000;
  await Promise.all(samples);
  print(
    `${sizeBytes / 1024 ** 3} GiB answer: ${(sizeBytes / 1024 ** 2 / seconds).toFixed(0)} MiB/s, ` +
      `memory ${(beforeBytes / 1024 ** 2).toFixed(0)} → ${(peakBytes / 1024 ** 2).toFixed(0)} MiB at most ` +
      `(+${((peakBytes - beforeBytes) / 1024 ** 2).toFixed(1)})`,
  );
}

try {
  print(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]!.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB, ` +
      `${rounds} rounds of ${values.seconds} s`,
  );
  const bare = await startNode('upstream.ts');
  await compare('bare sockets', bare.port, await startNode('front.ts', String(bare.port)));
  await compareTls('bare sockets', await startNode('front.ts', String(bare.port), caFolder));
  if (values.python !== undefined) {
    const port = await startPython(values.python);
    const gateway = await startNode('front.ts', String(port));
    await compare('FastAPI', port, gateway);
    await compareTls('FastAPI', await startNode('front.ts', String(port), caFolder));
    await measureMemory(gateway, 1024 ** 3);
  }
} finally {
  for (const child of children) child.kill();
  rmSync(caFolder, { recursive: true, force: true });
}
