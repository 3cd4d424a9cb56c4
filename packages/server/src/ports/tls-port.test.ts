import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { exchange, openSocket, readToEnd, readUntil, startTls } from './testing/raw-exchange.ts';
import { startPorts, type TestPorts } from './testing/start-ports.ts';

const authorityOf = (ports: TestPorts): string => readFileSync(ports.ca.caPath, 'utf8');
const get = (path: string, host = 'localhost'): string =>
  `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;

function openHttp2(t: TestContext, ports: TestPorts): ClientHttp2Session {
  const session = connectHttp2(`https://localhost:${ports.tlsPort}`, { ca: authorityOf(ports) });
  t.after(() => session.destroy());
  return session;
}

for (const name of [
  'localhost',
  'lanner.test',
  'queue.lanner.test',
  'fal.run',
  'queue.fal.run',
  'rest.fal.ai',
  'api.alpha.fal.ai',
  'v3.fal.media',
  'falrun.com',
  'queue.falrun.com',
]) {
  test(`a client that asks for ${name} gets a certificate it can verify`, async (t) => {
    const ports = await startPorts(t, { domain: 'lanner.test' });
    const socket = await startTls(await openSocket(ports.tlsPort), name, authorityOf(ports));
    const { status } = await exchange(socket, get('/x', name));
    assert.equal(status, 200);
  });
}

test('a client that names no server gets a certificate for the loopback addresses', async (t) => {
  const ports = await startPorts(t);
  const socket = await startTls(await openSocket(ports.tlsPort), '', authorityOf(ports));
  const certificate = socket.getPeerX509Certificate();
  assert.equal(certificate?.checkIP('127.0.0.1'), '127.0.0.1');
  assert.notEqual(certificate?.checkIP('::1'), undefined);
  socket.destroy();
});

test('a client that asks for a foreign name refuses what it gets', async (t) => {
  const ports = await startPorts(t);
  await assert.rejects(startTls(await openSocket(ports.tlsPort), 'example.com', authorityOf(ports)), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});

test('Python verifies the certificates, loopback addresses included, under its strictest rules', async (t) => {
  const ports = await startPorts(t, { domain: 'lanner.test' });
  const script = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
for name in ["localhost", "127.0.0.1", "::1", "api.lanner.test", "fal.run", "api.alpha.fal.ai"]:
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as raw:
        with context.wrap_socket(raw, server_hostname=name):
            print(name)
`;
  for (const trusted of [ports.ca.caPath, ports.ca.bundlePath]) {
    const { stdout } = await promisify(execFile)('python3', ['-c', script, trusted, String(ports.tlsPort)]);
    assert.equal(stdout.trim().split('\n').length, 6);
  }
});

test('ALPN chooses HTTP/2 and HTTP/1.1 on the same port', async (t) => {
  const ports = await startPorts(t);
  const stream = openHttp2(t, ports).request({ ':path': '/queue/alice/app' });
  const overHttp2 = JSON.parse(await readToEnd(stream));
  assert.deepEqual([overHttp2.httpVersion, overHttp2.role, overHttp2.path], ['2.0', 'queue', '/alice/app']);
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports), ['http/1.1']);
  const overHttp1 = await exchange(socket, get('/run/alice/app'));
  assert.match(overHttp1.body, /"role":"run","path":"\/alice\/app"/);
});

test('a WebSocket upgrade hands over the socket with the bytes that came along', async (t) => {
  const ports = await startPorts(t);
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
  socket.write(`GET /run/a/b HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nfirst`);
  await readUntil(socket, 'first');
  socket.write('second');
  await readUntil(socket, 'second');
  assert.deepEqual(
    ports.routes.map(({ role, path }) => [role, path]),
    [['run', '/a/b']],
  );
  socket.destroy();
});

test('a megabyte of HTTP/1.1 headers is refused with 431 as JSON', async (t) => {
  const ports = await startPorts(t);
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
  const answer = await exchange(
    socket,
    `GET / HTTP/1.1\r\nhost: localhost\r\nx-big: ${'a'.repeat(1024 * 1024)}\r\n\r\n`,
  );
  assert.equal(answer.status, 431);
  assert.match(JSON.parse(answer.body).detail, /headers/);
  assert.equal(ports.routes.length, 0);
});

test('a megabyte of HTTP/2 headers ends that stream or connection, and others are served', async (t) => {
  const ports = await startPorts(t);
  const other = openHttp2(t, ports);
  const session = openHttp2(t, ports);
  session.on('error', () => {});
  const stream = session.request({ ':path': '/run/a/b', 'x-big': 'a'.repeat(1024 * 1024) });
  await assert.rejects(once(stream, 'response'));
  assert.equal(ports.routes.length, 0);
  assert.match(await readToEnd(other.request({ ':path': '/run/a/b' })), /"role":"run"/);
});

test('several kilobytes of headers pass over both HTTP versions', async (t) => {
  const ports = await startPorts(t);
  const policy = 'p'.repeat(24 * 1024);
  assert.match(await readToEnd(openHttp2(t, ports).request({ ':path': '/run/a/b', 'x-policy': policy })), /"run"/);
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
  const answer = await exchange(socket, get('/run/a/b').replace('\r\n\r\n', `\r\nx-policy: ${policy}\r\n\r\n`));
  assert.equal(answer.status, 200);
});

test('a header that never ends is cut off with 408', async (t) => {
  const ports = await startPorts(t, {}, {}, { headersTimeoutMs: 200, checkIntervalMs: 20 });
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
  const answer = await exchange(socket, 'GET / HTTP/1.1\r\nhost: loc');
  assert.equal(answer.status, 408);
});

test('an HTTP/2 connection that never sends its settings is dropped', async (t) => {
  const ports = await startPorts(t, {}, {}, { headersTimeoutMs: 100 });
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports), ['h2']);
  await readToEnd(socket);
  assert.equal(socket.alpnProtocol, 'h2');
});

test('an idle HTTP/2 connection is closed, one with an open stream is kept', async (t) => {
  const released = Promise.withResolvers<void>();
  const handlers = {
    async request(_request: unknown, response: unknown) {
      await released.promise;
      (response as ServerResponse).end('done');
    },
  };
  const ports = await startPorts(t, {}, handlers, { sessionIdleMs: 100 });
  const busy = openHttp2(t, ports);
  const stream = busy.request({ ':path': '/run/a/b' });
  const idle = openHttp2(t, ports);
  await once(idle, 'close');
  assert.equal(busy.closed, false);
  released.resolve();
  assert.equal(await readToEnd(stream), 'done');
});

test('a failing handler answers 500 for its caller alone', async (t) => {
  const ports = await startPorts(t, {}, { request: () => Promise.reject(new Error('secret detail')) });
  const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
  const answer = await exchange(socket, get('/run/a/b'));
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.body, /secret detail/);
});

test('a host name without a role is answered with 404 and never reaches a handler', async (t) => {
  const ports = await startPorts(t);
  const socket = await startTls(await openSocket(ports.tlsPort), 'auth.fal.ai', authorityOf(ports));
  assert.equal((await exchange(socket, get('/authorize', 'auth.fal.ai'))).status, 404);
  assert.equal(ports.routes.length, 0);
});

test('stop lets a running request finish, refuses new connections and closes idle ones', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const ports = await startPorts(
    t,
    {},
    {
      async request(_request, response) {
        arrived.resolve();
        await released.promise;
        (response as ServerResponse).end('finished');
      },
    },
  );
  const session = openHttp2(t, ports);
  const stream = session.request({ ':path': '/run/a/b' });
  const idle = openHttp2(t, ports);
  const idleEnded = once(idle, 'close');
  await Promise.all([arrived.promise, once(idle, 'remoteSettings')]);
  const stopped = ports.ports.stop({ graceMs: 30_000 });
  await assert.rejects(openOnce(ports.tlsPort));
  released.resolve();
  assert.equal(await readToEnd(stream), 'finished');
  await Promise.all([stopped, idleEnded]);
});

test('stop ends a request that takes longer than the grace, also when the grace is shortened later', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const ports = await startPorts(t, {}, { request: () => arrived.resolve() });
  const session = openHttp2(t, ports);
  session.on('error', () => {});
  const stream = session.request({ ':path': '/run/a/b' });
  const ended = once(stream, 'close').catch(() => {});
  await arrived.promise;
  const stopped = ports.ports.stop({ graceMs: 600_000 });
  await ports.ports.stop({ graceMs: 0 });
  await Promise.all([stopped, ended]);
});

async function openOnce(port: number): Promise<void> {
  const { connect } = await import('node:net');
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.destroy();
}

test('callers on this machine get no session tickets behind the handshake, which a client of theirs trips over', async (t) => {
  for (const [host, expected] of [
    ['127.0.0.1', 'TLSv1.2'],
    ['0.0.0.0', 'TLSv1.3'],
  ] as const) {
    const ports = await startPorts(t, { host });
    const socket = await startTls(await openSocket(ports.tlsPort), 'localhost', authorityOf(ports));
    assert.equal(socket.getProtocol(), expected, host);
    socket.destroy();
  }
});
