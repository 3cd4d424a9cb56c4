import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import { decideProtocol } from './clear-port.ts';
import { exchange, openSocket, readToEnd, readUntil } from './testing/raw-exchange.ts';
import { startPorts } from './testing/start-ports.ts';

test('the first bytes decide between HTTP/1.1 and HTTP/2', () => {
  const decide = (text: string) => decideProtocol(Buffer.from(text));
  assert.equal(decide('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'h2');
  assert.equal(decide('PRI * HTTP/2.0'), 'h2');
  assert.equal(decide('PRI * HTTP'), null);
  assert.equal(decide('P'), null);
  assert.equal(decide(''), null);
  assert.equal(decide('POST / HTTP/1.1'), 'h1');
  assert.equal(decide('PRI / HTTP/1.1'), 'h1');
  assert.equal(decide('\u0016\u0003\u0001'), 'h1');
});

test('HTTP/1.1 and HTTP/2 with prior knowledge are served on one port', async (t) => {
  const ports = await startPorts(t);
  const session = connectHttp2(`http://127.0.0.1:${ports.httpPort}`);
  t.after(() => session.destroy());
  const overHttp2 = JSON.parse(await readToEnd(session.request({ ':path': '/queue/a/b' })));
  assert.deepEqual([overHttp2.httpVersion, overHttp2.role, overHttp2.origin.scheme], ['2.0', 'queue', 'http']);
  const answer = await exchange(
    await openSocket(ports.httpPort),
    'GET /run/a/b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
  );
  assert.equal(answer.status, 200);
  assert.match(answer.body, /"role":"run"/);
});

test('a request that arrives byte by byte is put together again', async (t) => {
  const ports = await startPorts(t);
  const socket = await openSocket(ports.httpPort);
  socket.setNoDelay(true);
  const answer = readToEnd(socket);
  for (const byte of 'PUT /run/a/b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n') {
    await new Promise((resolve) => socket.write(byte, resolve));
    await new Promise(setImmediate);
  }
  assert.match(await answer, /"role":"run"/);
});

test('two requests sent at once over one connection are both answered', async (t) => {
  const ports = await startPorts(t);
  const socket = await openSocket(ports.httpPort);
  const request = 'GET /run/a/b HTTP/1.1\r\nhost: localhost\r\n';
  const { text } = await exchange(socket, `${request}\r\n${request}connection: close\r\n\r\n`);
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
});

test('an upgrade hands over the socket', async (t) => {
  const ports = await startPorts(t);
  const socket = await openSocket(ports.httpPort);
  socket.write('GET /ws/a/b HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello');
  await readUntil(socket, 'hello');
  assert.equal(ports.routes[0]?.role, 'ws');
  socket.destroy();
});

test('an offer to go on in HTTP/2 is left aside, body and all', async (t) => {
  const ports = await startPorts(t);
  const offer = 'connection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n';
  const request = `POST /run/a/b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n${offer}\r\n{}`;
  const answer = await exchange(await openSocket(ports.httpPort), request);
  assert.equal(answer.status, 200);
  assert.match(answer.body, /"role":"run"/);
});

test('a connection that says nothing is dropped', async (t) => {
  const ports = await startPorts(t, {}, {}, { firstByteTimeoutMs: 50 });
  const socket = await openSocket(ports.httpPort);
  socket.resume();
  await once(socket, 'close');
});

test('a header that never ends is cut off with 408', async (t) => {
  const ports = await startPorts(t, {}, {}, { headersTimeoutMs: 200, checkIntervalMs: 20 });
  const answer = await exchange(await openSocket(ports.httpPort), 'GET / HTTP/1.1\r\nhost: loc');
  assert.equal(answer.status, 408);
});

test('something that is not HTTP is answered with 400 as JSON', async (t) => {
  const ports = await startPorts(t);
  const answer = await exchange(await openSocket(ports.httpPort), 'HELLO\r\n\r\n');
  assert.equal(answer.status, 400);
  assert.match(JSON.parse(answer.body).detail, /HTTP/);
});

test('a megabyte of headers is refused with 431 as JSON', async (t) => {
  const ports = await startPorts(t);
  const big = `GET / HTTP/1.1\r\nhost: localhost\r\nx-big: ${'a'.repeat(1024 * 1024)}\r\n\r\n`;
  const answer = await exchange(await openSocket(ports.httpPort), big);
  assert.equal(answer.status, 431);
  assert.match(JSON.parse(answer.body).detail, /headers/);
});

test('a second server on the same port is told which flag to change', async (t) => {
  const first = await startPorts(t);
  await assert.rejects(startPorts(t, { httpPort: first.httpPort }), (error: Error) => {
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${first.httpPort} is in use.*--http-port`));
    return true;
  });
});
