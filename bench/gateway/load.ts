/**
 * Callers in a process of their own, each with one connection and one request at a time; written on bare sockets, so that
 * it costs little beside what it measures. Usage: node load.ts PORT PATH CALLERS SECONDS; prints one line of JSON.
 * LOAD_HOST (default 127.0.0.1), LOAD_KEY and LOAD_BODY change what is sent and where; the key is no argument, so that it
 * stays out of process lists. LOAD_TLS=1 speaks TLS, with whatever certificate there is.
 */
import { connect as connectInClear, type Socket } from 'node:net';
import { connect as connectOverTls } from 'node:tls';

const [port, path, callers, seconds] = [
  Number(process.argv[2]),
  process.argv[3]!,
  Number(process.argv[4]),
  Number(process.argv[5]),
];
const host = process.env['LOAD_HOST'] ?? '127.0.0.1';
const key = process.env['LOAD_KEY'] ?? 'id:secret';
const body = process.env['LOAD_BODY'] ?? '{"prompt":"a cat"}';
const isTls = process.env['LOAD_TLS'] === '1';
const request = Buffer.from(
  `POST ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\nauthorization: Key ${key}\r\naccept: */*\r\n` +
    `user-agent: bench\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);
const warmUpMs = 500;
const startedAtMs = performance.now();
const endsAtMs = startedAtMs + warmUpMs + seconds * 1000;
const latenciesMs: number[] = [];
let failures = 0;
let calls = 0;

const connect = (): Socket =>
  isTls
    ? connectOverTls({ port, host, servername: 'localhost', ALPNProtocols: ['http/1.1'], rejectUnauthorized: false })
    : connectInClear(port, host);

function call(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect();
    socket.setNoDelay(true);
    socket.on('error', reject);
    let sentAtMs = 0;
    let received = '';
    const send = (): void => {
      sentAtMs = performance.now();
      socket.write(request);
    };
    socket.on(isTls ? 'secureConnect' : 'connect', send);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const length = /content-length: (\d+)/i.exec(received)?.[1];
      if (length === undefined) return reject(new Error(`no content-length in: ${received}`));
      if (received.length < headEnd + 4 + Number(length)) return;
      const nowMs = performance.now();
      calls += 1;
      if (!received.startsWith('HTTP/1.1 200 ')) failures += 1;
      else if (nowMs > startedAtMs + warmUpMs) latenciesMs.push(nowMs - sentAtMs);
      received = '';
      if (nowMs < endsAtMs) return send();
      socket.destroy();
      resolve();
    });
  });
}

await Promise.all(Array.from({ length: callers }, call));
latenciesMs.sort((a, b) => a - b);
const percentile = (share: number): number => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]!;
process.stdout.write(
  `${JSON.stringify({
    callsPerSecond: Math.round(latenciesMs.length / seconds),
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    calls,
    failures,
  })}\n`,
);
