/**
 * What an open connection costs while nothing happens on it: WebSockets of the run role, HTTP over WebSocket, event streams, and
 * status streams of the queue. Memory of the gateway's process, beyond what the same connections cost in the least that Node can
 * do (bench/sockets/front.ts); processor time while all of them are idle.
 *
 * Usage: node bench/sockets.ts [--connections 2000] [--rounds 3]
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { connections: { type: 'string', default: '2000' }, rounds: { type: 'string', default: '3' } },
});
const connections = Number(values.connections);
const rounds = Number(values.rounds);
const budgetBytes = 20 * 1024;
const folder = join(import.meta.dirname, 'sockets');
const children = new Set<ChildProcess>();

interface Started {
  process: ChildProcess;
  port: number;
  requestId: string;
  nextLine(): Promise<string>;
}

interface Usage {
  residentBytes: number;
  heapBytes: number;
  /** Share of one core while every connection was idle. */
  coreShare: number;
}

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: bench\r\nauthorization: Key a:b\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
  'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

const post = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: bench\r\nauthorization: Key a:b\r\ncontent-length: 2\r\n\r\n{}`;

/** What is measured: the front, and the first bytes of a connection. */
interface Kind {
  front: string;
  bare: string;
  gateway: (requestId: string) => string;
}

const kinds: Record<string, Kind> = {
  'WebSocket (run)': {
    front: 'front.ts',
    bare: handshake('/hello'),
    gateway: () => handshake('/run/bench/hello/realtime'),
  },
  'HTTP over WebSocket (ws)': {
    front: 'front.ts',
    bare: handshake('/hello'),
    gateway: () => handshake('/ws/bench/hello'),
  },
  'event stream of an app': {
    front: 'front.ts',
    bare: post('/hello'),
    gateway: () => post('/run/bench/hello/stream'),
  },
  'status stream of the queue': {
    front: 'queue-front.ts',
    bare: post('/hello'),
    gateway: (requestId) => `GET /bench/hello/requests/${requestId}/status/stream HTTP/1.1\r\nhost: bench\r\n\r\n`,
  },
};

async function start(script: string, ...rest: string[]): Promise<Started> {
  const child = spawn(process.execPath, ['--expose-gc', join(folder, script), ...rest], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  children.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    for (;;) {
      const line = (await lines.next()).value as string;
      // The access log goes to the same place.
      if (/^\d/.test(line)) return line;
    }
  };
  const [port, requestId = ''] = (await nextLine()).split(' ');
  return { process: child, port: Number(port), requestId, nextLine };
}

function end(started: Started): void {
  children.delete(started.process);
  started.process.kill('SIGKILL');
}

/** Resolves when the connection has its answer. */
function open(port: number, firstBytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', reject);
    socket.once('data', (chunk: Buffer) => {
      if (/^HTTP\/1\.1 (101|200)/.test(chunk.toString('latin1'))) resolve(socket);
      else reject(new Error(chunk.toString('latin1')));
    });
    socket.resume();
    socket.write(firstBytes);
  });
}

function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function askMemory(front: Started): Promise<[number, number]> {
  front.process.stdin!.write('?\n');
  const [residentBytes, heapBytes] = (await front.nextLine()).split(' ').map(Number);
  return [residentBytes!, heapBytes!];
}

async function measure(front: Started, firstBytes: string): Promise<Usage> {
  // Code is compiled and pools are filled before it counts.
  for (const socket of await openMany(front.port, firstBytes, 100)) socket.destroy();
  const [residentBefore, heapBefore] = await askMemory(front);
  const sockets = await openMany(front.port, firstBytes, connections);
  const [residentAfter, heapAfter] = await askMemory(front);
  const ticksBefore = cpuTicks(front.process.pid!);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const coreShare = (cpuTicks(front.process.pid!) - ticksBefore) / 100 / 3;
  for (const socket of sockets) socket.destroy();
  return {
    residentBytes: (residentAfter - residentBefore) / connections,
    heapBytes: (heapAfter - heapBefore) / connections,
    coreShare,
  };
}

async function openMany(port: number, firstBytes: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let at = 0; at < count; at += 50) {
    const some = Array.from({ length: Math.min(50, count - at) }, () => open(port, firstBytes));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const kb = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`;

process.stdout.write(`${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}, Node ${process.versions.node}\n`);
process.stdout.write(`${connections} idle connections, median of ${rounds} rounds, memory each\n\n`);
process.stdout.write(
  '| kind | Node alone | gateway | beyond Node | of it on the heap | processor while idle | budget |\n',
);
process.stdout.write('| --- | --- | --- | --- | --- | --- | --- |\n');
let isMet = true;
for (const [name, kind] of Object.entries(kinds)) {
  const found = { bare: [] as Usage[], gateway: [] as Usage[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const side of ['bare', 'gateway'] as const) {
      const app = await start('app.ts');
      const front = await start(kind.front, side, String(app.port));
      found[side].push(await measure(front, side === 'bare' ? kind.bare : kind.gateway(front.requestId)));
      end(front);
      end(app);
    }
  }
  const of = (side: 'bare' | 'gateway', what: keyof Usage): number => median(found[side].map((usage) => usage[what]));
  const beyond = of('gateway', 'residentBytes') - of('bare', 'residentBytes');
  const onHeap = of('gateway', 'heapBytes') - of('bare', 'heapBytes');
  if (beyond > budgetBytes) isMet = false;
  process.stdout.write(
    `| ${name} | ${kb(of('bare', 'residentBytes'))} | ${kb(of('gateway', 'residentBytes'))} | ${kb(beyond)} | ${kb(onHeap)} | ` +
      `${(of('gateway', 'coreShare') * 100).toFixed(1)} % of a core | ≤ 20 KB ${beyond > budgetBytes ? '**missed**' : 'met'} |\n`,
  );
}
for (const child of children) child.kill('SIGKILL');
process.exitCode = isMet ? 0 : 1;
