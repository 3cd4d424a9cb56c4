import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { LannerError } from '@lanner/protocol';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createSocketFixture, socketUrl } from './sockets/testing/socket-fixture.ts';
import { createFixture, ownerKey } from './testing/gateway-fixture.ts';

async function refusalOf(socket: WebSocket): Promise<{ status: number; body: string; requestId: string | undefined }> {
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, import('node:http').IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode!, body, requestId: response.headers['x-fal-request-id'] as string | undefined };
}

describe('a WebSocket through the gateway', () => {
  it('passes frames both ways, in order and untouched, from the first one on', async () => {
    await using fixture = await createSocketFixture((socket) => {
      socket.send('welcome');
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const socket = new WebSocket(socketUrl(fixture));
    const received: { data: string; isBinary: boolean }[] = [];
    const complete = Promise.withResolvers<void>();
    socket.on('message', (data, isBinary) => {
      received.push({ data: String(data as Buffer), isBinary });
      if (received.length === 12) complete.resolve();
    });
    await once(socket, 'open');
    for (let index = 0; index < 10; index += 1) socket.send(Buffer.from(`frame ${index}`));
    socket.send('text');
    await complete.promise;
    assert.deepEqual(received, [
      { data: 'welcome', isBinary: false },
      ...Array.from({ length: 10 }, (_, index) => ({ data: `frame ${index}`, isBinary: true })),
      { data: 'text', isBinary: false },
    ]);
    assert.equal(fixture.dispatcher.held, 1);
    socket.close();
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
    const [record] = await fixture.logged(1);
    assert.equal(record!['protocol'], 'websocket');
    assert.equal(record!['status'], 101);
  });

  it('brings the headers of the platform to the app and the request id to the caller', async () => {
    const seen = Promise.withResolvers<Record<string, unknown>>();
    await using fixture = await createSocketFixture(
      (_, request) => seen.resolve({ ...request.headers, url: request.url }),
      {
        target: { authMode: 'private' },
      },
    );
    const socket = new WebSocket(socketUrl(fixture, '/alice/hello/realtime?max_buffering=2&fal_jwt_token=owner'));
    const [response] = (await once(socket, 'upgrade')) as [import('node:http').IncomingMessage];
    const headers = await seen.promise;
    assert.equal(headers['url'], '/realtime?max_buffering=2');
    assert.equal(headers['x-fal-endpoint'], 'alice/hello/realtime');
    assert.ok(headers['x-fal-request-id']);
    assert.equal(response.headers['x-fal-request-id'], headers['x-fal-request-id']);
    socket.terminate();
    await fixture.dispatcher.released(1);
  });

  it('carries large messages with back-pressure', async () => {
    await using fixture = await createSocketFixture((socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const socket = new WebSocket(socketUrl(fixture));
    await once(socket, 'open');
    const message = Buffer.alloc(5 * 1024 * 1024, 9);
    socket.send(message);
    const [echoed] = (await once(socket, 'message')) as [Buffer];
    assert.ok(message.equals(echoed));
    socket.close();
    await fixture.dispatcher.released(1);
  });

  it('tells the caller when the app closes, with its code', async () => {
    await using fixture = await createSocketFixture((socket) => socket.close(4321, 'enough'));
    const socket = new WebSocket(socketUrl(fixture));
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    assert.equal(code, 4321);
    assert.equal(String(reason), 'enough');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('tells the app when the caller disappears', async () => {
    const gone = Promise.withResolvers<void>();
    await using fixture = await createSocketFixture((socket) => socket.on('close', () => gone.resolve()));
    const socket = new WebSocket(socketUrl(fixture));
    await once(socket, 'open');
    socket.terminate();
    await gone.promise;
    await fixture.dispatcher.released(1);
  });

  it('is refused like a request: without credentials, for unknown apps, by the app itself', async () => {
    await using fixture = await createSocketFixture(() => {}, { target: { authMode: 'private' } });
    const anonymous = await refusalOf(new WebSocket(socketUrl(fixture)));
    assert.equal(anonymous.status, 401);
    assert.ok(anonymous.requestId);
    const headers = { authorization: ownerKey };
    assert.equal((await refusalOf(new WebSocket(socketUrl(fixture, '/alice/ghost'), { headers }))).status, 404);
    assert.equal(fixture.dispatcher.requests.length, 0);
    fixture.appServer.removeAllListeners('upgrade');
    const refused = await refusalOf(new WebSocket(socketUrl(fixture), { headers }));
    assert.equal(refused.status, 404);
    assert.equal(refused.body, '{"detail":"Not Found"}');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('that finds no listening app is told so', async () => {
    await using fixture = await createFixture({ tcp: (socket) => socket.destroy() });
    const refused = await refusalOf(new WebSocket(socketUrl(fixture)));
    assert.equal(refused.status, 503);
    assert.match(refused.body, /runner_disconnected/);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
  });

  it('left while it waits for a slot is no demand any more', async () => {
    await using fixture = await createSocketFixture(() => {});
    const waiting = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    fixture.dispatcher.onAcquire = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve();
          reject(signal.reason as Error);
        });
        waiting.resolve();
      });
    const socket = new WebSocket(socketUrl(fixture));
    socket.on('error', () => {});
    await waiting.promise;
    socket.terminate();
    await aborted.promise;
    assert.equal((await fixture.logged(1))[0]!['status'], 499);
  });

  it('waits for a runner within the start deadline of its caller, in either role', async () => {
    for (const role of ['run', 'ws'] as const) {
      const clock = createVirtualClock();
      await using fixture = await createSocketFixture(() => {}, { role, clock });
      fixture.dispatcher.onAcquire = () => Promise.reject(new LannerError('start_timeout', 'No runner in time.'));
      const headers = { 'x-fal-request-timeout': '2.5' };
      const refused = await refusalOf(new WebSocket(socketUrl(fixture), { headers }));
      assert.equal(refused.status, 504);
      assert.equal(fixture.dispatcher.requests[0]!.startDeadlineMs, clock.monotonicMs() + 2_500);
    }
  });

  it('is closed when request_timeout is over, and the runner may live on', async () => {
    const clock = createVirtualClock();
    await using fixture = await createSocketFixture(() => {}, { clock, target: { requestTimeoutSeconds: 60 } });
    const socket = new WebSocket(socketUrl(fixture));
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await clock.advance(60_000);
    await closed;
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('is the only upgrade there is', async () => {
    await using fixture = await createFixture();
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write('GET /alice/hello HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n');
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString()));
    await once(socket, 'close');
    assert.match(received, /^HTTP\/1\.1 400 /);
  });

  it('in use ends with the gateway', async () => {
    await using fixture = await createSocketFixture(() => {});
    const socket = new WebSocket(socketUrl(fixture));
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await fixture.gateway.stop({ graceMs: 0 });
    await closed;
  });
});
