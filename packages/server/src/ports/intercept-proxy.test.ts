import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { encodeProxyUser, type UpstreamChoice } from '../config/proxy-credentials.ts';
import { exchange, openSocket, readToEnd, readUntil, startTls } from './testing/raw-exchange.ts';
import { startPorts, testToken, type TestPorts } from './testing/start-ports.ts';

/** A CONNECT request; without `login` no credentials are sent. */
function connectRequest(target: string, login?: string): string {
  const header = login === undefined ? '' : `proxy-authorization: Basic ${Buffer.from(login).toString('base64')}\r\n`;
  return `CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n${header}\r\n`;
}

const loginFor = (choice: UpstreamChoice): string => `${encodeProxyUser(choice)}:${testToken}`;
const login = loginFor({ kind: 'server' });

async function openTunnel(ports: TestPorts, target: string, withLogin = login): Promise<Socket> {
  const socket = await openSocket(ports.httpPort);
  socket.write(connectRequest(target, withLogin));
  assert.match(await readUntil(socket, '\r\n\r\n'), /^HTTP\/1\.1 200 /);
  return socket;
}

/** A server that echoes raw bytes, on a free port; remembers how many connections it had. */
async function startEcho(t: TestContext): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const port = await listenOnFreePort(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, connections: () => connections };
}

async function listenOnFreePort(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A company's proxy: wants a password, leads every name to loopback, remembers what it was asked for. */
async function startUpstream(t: TestContext): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createHttpServer();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('connect', (request, socket: Socket, head) => {
    const expected = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    if (request.headers['proxy-authorization'] !== expected) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    seen.push(request.url!);
    const remote = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      remote.write(head);
      remote.pipe(socket).pipe(remote);
    });
    sockets.add(remote);
    for (const end of [socket, remote]) end.on('error', () => end.destroy());
  });
  const port = await listenOnFreePort(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://me:p%40ss@127.0.0.1:${port}`, seen };
}

for (const [what, wrong] of [
  ['no credentials', undefined],
  ['a wrong token', 'lanner:wrong'],
  ['an empty token', 'lanner:'],
  ['a foreign user name', `someone:${testToken}`],
  ['an unreadable upstream', `lanner.!!!:${testToken}`],
] as const) {
  test(`a tunnel with ${what} is refused with 407`, async (t) => {
    const ports = await startPorts(t);
    for (const target of ['fal.run:443', 'example.com:443']) {
      const answer = await exchange(await openSocket(ports.httpPort), connectRequest(target, wrong));
      assert.equal(answer.status, 407);
      assert.match(answer.text, /proxy-authenticate: Basic/i);
    }
    assert.equal(ports.routes.length, 0);
  });
}

test('a tunnel to fal.run ends in the run role, verified by its certificate', async (t) => {
  const ports = await startPorts(t);
  const tunnel = await openTunnel(ports, 'fal.run:443');
  const secure = await startTls(tunnel, 'fal.run', readFileSync(ports.ca.caPath, 'utf8'));
  const { status, body } = await exchange(secure, 'GET /a/b HTTP/1.1\r\nhost: fal.run\r\nconnection: close\r\n\r\n');
  assert.equal(status, 200);
  const { role, path, origin } = JSON.parse(body);
  assert.deepEqual([role, path, origin.mode, origin.scheme], ['run', '/a/b', 'intercept', 'https']);
});

test('a tunnel carries HTTP/2, as gRPC needs it', async (t) => {
  const ports = await startPorts(t);
  const tunnel = await openTunnel(ports, 'api.alpha.fal.ai:443');
  const secure = await startTls(tunnel, 'api.alpha.fal.ai', readFileSync(ports.ca.caPath, 'utf8'), ['h2']);
  const session = connectHttp2('https://api.alpha.fal.ai', { createConnection: () => secure });
  const stream = session.request({ ':method': 'POST', ':path': '/controller.IsolateController/Run' });
  assert.match(await readToEnd(stream), /"role":"rpc"/);
  session.close();
});

test('an upgrade works inside a tunnel', async (t) => {
  const ports = await startPorts(t);
  const tunnel = await openTunnel(ports, 'ws.fal.run:443');
  const secure = await startTls(tunnel, 'ws.fal.run', readFileSync(ports.ca.caPath, 'utf8'));
  secure.write('GET /a/b HTTP/1.1\r\nhost: ws.fal.run\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello');
  await readUntil(secure, 'hello');
  assert.equal(ports.routes[0]?.role, 'ws');
  secure.destroy();
});

test('every name and port of the hosted platform stays here, also those without a role', async (t) => {
  const ports = await startPorts(t);
  for (const target of [
    'FAL.RUN:443',
    'auth.fal.ai:443',
    'deep.er.fal.run:443',
    'fal.media.:443',
    'queue.fal.run:8443',
  ]) {
    const tunnel = await openTunnel(ports, target);
    const secure = await startTls(tunnel, 'fal.run', readFileSync(ports.ca.caPath, 'utf8'));
    assert.match(secure.getPeerX509Certificate()!.issuer, /Lanner/, target);
    secure.destroy();
  }
});

test('clear text sent into a tunnel to fal.run is not passed on', async (t) => {
  const ports = await startPorts(t);
  const tunnel = await openTunnel(ports, 'fal.run:80');
  const { status } = await exchange(tunnel, 'GET / HTTP/1.1\r\nhost: fal.run\r\nauthorization: Key a:b\r\n\r\n');
  assert.notEqual(status, 200);
  assert.equal(ports.routes.length, 0);
});

test('other hosts are tunnelled untouched, the bytes sent along with the request included', async (t) => {
  const ports = await startPorts(t);
  const echo = await startEcho(t);
  const socket = await openSocket(ports.httpPort);
  socket.write(`${connectRequest(`127.0.0.1:${echo.port}`, login)}early`);
  await readUntil(socket, 'early');
  const bytes = Buffer.alloc(1024 * 1024, 'x');
  let received = 0;
  const complete = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received === bytes.length) resolve();
    });
  });
  socket.resume();
  socket.write(bytes);
  await complete;
  socket.destroy();
});

test('the end of one side of a tunnel ends the other', async (t) => {
  const ports = await startPorts(t);
  const server = createServer((socket) => socket.end('bye'));
  const port = await listenOnFreePort(server);
  const tunnel = await openTunnel(ports, `127.0.0.1:${port}`);
  assert.match(await readToEnd(tunnel), /^bye$/);
  server.close();
  await once(server, 'close');
});

test('a host that cannot be reached is answered with 502 that says why', async (t) => {
  const ports = await startPorts(t);
  const server = createServer();
  const port = await listenOnFreePort(server);
  server.close();
  await once(server, 'close');
  const answer = await exchange(await openSocket(ports.httpPort), connectRequest(`127.0.0.1:${port}`, login));
  assert.equal(answer.status, 502);
  assert.match(JSON.parse(answer.body).detail, /ECONNREFUSED/);
});

test('a target without a port is answered with 400', async (t) => {
  const ports = await startPorts(t);
  for (const target of ['fal.run', 'example.com', ':443', 'a@b:443']) {
    assert.equal((await exchange(await openSocket(ports.httpPort), connectRequest(target, login))).status, 400, target);
  }
});

test('no more tunnels are opened than the limit says', async (t) => {
  const ports = await startPorts(t, {}, {}, { maxTunnels: 1 });
  const echo = await startEcho(t);
  const first = await openTunnel(ports, `127.0.0.1:${echo.port}`);
  const request = connectRequest(`127.0.0.1:${echo.port}`, login);
  assert.equal((await exchange(await openSocket(ports.httpPort), request)).status, 503);
  first.destroy();
});

test('a caller can name the proxy through which other hosts are reached, and exceptions from it', async (t) => {
  const upstream = await startUpstream(t);
  const ports = await startPorts(t);
  const echo = await startEcho(t);
  const through = loginFor({ kind: 'proxy', proxy: { url: upstream.url, noProxy: 'direct.test,127.0.0.1' } });
  const tunnel = await openTunnel(ports, `somewhere.test:${echo.port}`, through);
  tunnel.write('ping');
  await readUntil(tunnel, 'ping');
  tunnel.destroy();
  (await openTunnel(ports, `127.0.0.1:${echo.port}`, through)).destroy();
  assert.deepEqual(upstream.seen, [`somewhere.test:${echo.port}`]);
});

test('without a choice of the caller the server takes its own proxy, and "direct" takes none', async (t) => {
  const upstream = await startUpstream(t);
  const ports = await startPorts(t, { upstreamProxy: { url: upstream.url, noProxy: '' } });
  const echo = await startEcho(t);
  (await openTunnel(ports, `127.0.0.1:${echo.port}`)).destroy();
  assert.equal(upstream.seen.length, 1);
  (await openTunnel(ports, `127.0.0.1:${echo.port}`, loginFor({ kind: 'direct' }))).destroy();
  assert.equal(upstream.seen.length, 1);
});

test('a refusal of the upstream proxy is told without its password', async (t) => {
  const upstream = await startUpstream(t);
  const ports = await startPorts(t);
  const wrong = loginFor({ kind: 'proxy', proxy: { url: upstream.url.replace('p%40ss', 'other'), noProxy: '' } });
  const answer = await exchange(await openSocket(ports.httpPort), connectRequest('somewhere.test:443', wrong));
  assert.equal(answer.status, 502);
  assert.match(answer.body, /407/);
  assert.doesNotMatch(answer.body, /other/);
});

test('a host behind the upstream proxy that never answers is given up', async (t) => {
  const silent = createServer((socket) => void socket.resume());
  const port = await listenOnFreePort(silent);
  const ports = await startPorts(t, {}, {}, { tunnelConnectTimeoutMs: 100 });
  const through = loginFor({ kind: 'proxy', proxy: { url: `http://127.0.0.1:${port}`, noProxy: '' } });
  const answer = await exchange(await openSocket(ports.httpPort), connectRequest('somewhere.test:443', through));
  assert.equal(answer.status, 502);
  assert.match(answer.body, /in time/);
  silent.close();
});
