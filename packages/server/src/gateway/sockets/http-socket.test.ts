import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import fc from 'fast-check';
import { createVirtualClock } from '../../lib/virtual-clock.ts';
import { createFixture, ownerKey, readText, type Fixture, type FixtureOptions } from '../testing/gateway-fixture.ts';
import { createMessageReader, type MessageReader } from './testing/message-reader.ts';
import { socketUrl } from './testing/socket-fixture.ts';

const createWsFixture = (app: RequestListener, options: FixtureOptions = {}): Promise<Fixture> =>
  createFixture({ app, role: 'ws', ...options });

async function open(fixture: Fixture, path = '/alice/hello/predict', options: object = {}): Promise<MessageReader> {
  const socket = new WebSocket(socketUrl(fixture, path), options);
  const reader = createMessageReader(socket);
  await once(socket, 'open');
  return reader;
}

const echo: RequestListener = async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  response.writeHead(200, { 'content-type': 'application/json', 'x-app': 'yes', 'set-cookie': ['a=1', 'b=2'] });
  response.end(Buffer.concat(chunks));
};

describe('HTTP over WebSocket', () => {
  it('answers each message with a start, its body in binary and an end of the same request', async () => {
    const seen: IncomingMessage[] = [];
    await using fixture = await createWsFixture((request, response) => {
      seen.push(request);
      echo(request, response);
    });
    const reader = await open(fixture, '/alice/hello/predict?x=1&fal_jwt_token=owner', {
      headers: { 'x-own': '1', 'accept-encoding': 'gzip' },
    });
    reader.socket.send('{"value":1}');
    const { start, body, end } = await reader.answer();
    assert.equal(start['type'], 'start');
    assert.equal(start['status'], 200);
    const headers = start['headers'] as Record<string, string>;
    assert.equal(headers['x-app'], 'yes');
    assert.equal(headers['set-cookie'], 'a=1, b=2');
    assert.equal(headers['x-fal-request-id'], start['request_id']);
    assert.equal(String(body), '{"value":1}');
    assert.equal(end['request_id'], start['request_id']);
    assert.equal(end['status'], 200);
    assert.ok(Number(end['time_to_first_byte_seconds']) >= 0);

    const [request] = seen;
    assert.equal(request!.method, 'POST');
    assert.equal(request!.url, '/predict?x=1');
    assert.equal(request!.headers['content-type'], 'application/json');
    assert.equal(request!.headers['x-fal-request-id'], start['request_id']);
    assert.equal(request!.headers['x-fal-endpoint'], 'alice/hello/predict');
    assert.equal(request!.headers['x-own'], '1');
    assert.equal(request!.headers['accept-encoding'], undefined, 'nobody would unpack it');
    assert.ok(!Object.keys(request!.headers).some((name) => name.startsWith('sec-websocket') || name === 'upgrade'));
    reader.socket.close();
    await fixture.dispatcher.released(1);
    const records = await fixture.logged(2);
    assert.deepEqual(
      records.map(({ role, method, status }) => [role, method, status]),
      [
        ['ws', 'POST', 200],
        ['ws', 'GET', 101],
      ],
    );
  });

  it('works through pipelined messages one by one and in order, on one slot', async () => {
    let active = 0;
    let mostActive = 0;
    await using fixture = await createWsFixture(async (request, response) => {
      mostActive = Math.max(mostActive, (active += 1));
      const body = await readText(request);
      setImmediate(() => {
        active -= 1;
        response.end(body);
      });
    });
    const reader = await open(fixture);
    for (let index = 0; index < 20; index += 1) reader.socket.send(`{"n":${index}}`);
    const bodies = [];
    for (let index = 0; index < 20; index += 1) bodies.push(String((await reader.answer()).body));
    assert.deepEqual(
      bodies,
      Array.from({ length: 20 }, (_, index) => `{"n":${index}}`),
    );
    assert.equal(mostActive, 1);
    assert.equal(fixture.dispatcher.requests.length, 1);
    assert.equal(fixture.dispatcher.held, 1);
    reader.socket.close();
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('passes an event stream piece by piece, as the app writes it', async () => {
    const go = Promise.withResolvers<void>();
    await using fixture = await createWsFixture(async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      await go.promise;
      response.end('data: 2\n\n');
    });
    const reader = await open(fixture, '/alice/hello/stream');
    reader.socket.send('{}');
    assert.equal((JSON.parse(String(await reader.next())) as { type: string }).type, 'start');
    assert.equal(String(await reader.next()), 'data: 1\n\n');
    go.resolve();
    assert.equal(String(await reader.next()), 'data: 2\n\n');
    assert.equal((JSON.parse(String(await reader.next())) as { type: string }).type, 'end');
    reader.socket.close();
    await fixture.dispatcher.released(1);
  });

  it('cuts large bodies into messages that the official client takes, and holds the app up for a slow reader', async () => {
    const size = 48 * 1024 ** 2;
    let written = 0;
    await using fixture = await createWsFixture((_, response) => {
      const piece = Buffer.alloc(1024 ** 2, 5);
      const write = (): void => {
        while (written < size) {
          written += piece.length;
          if (!response.write(piece)) return void response.once('drain', write);
        }
        response.end();
      };
      write();
    });
    const reader = await open(fixture);
    reader.socket.pause();
    reader.socket.send('{}');
    let before = -1;
    while (written === 0 || written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(written < size / 2, `${written} bytes were taken although nobody read`);
    reader.socket.resume();
    const { body, largest } = await reader.answer();
    assert.equal(body.length, size);
    assert.ok(largest <= 1024 ** 2, `${largest}`);
    reader.socket.close();
    await fixture.dispatcher.released(1);
  });

  it('gives the errors of the platform the shape of an answer', async () => {
    await using fixture = await createWsFixture((request) => request.socket.destroy());
    const reader = await open(fixture);
    reader.socket.send('{}');
    const closed = once(reader.socket, 'close') as Promise<[number, Buffer]>;
    const { start, body, end } = await reader.answer();
    assert.equal(start['status'], 503);
    assert.equal((JSON.parse(String(body)) as { error_type: string }).error_type, 'runner_disconnected');
    assert.equal(end['status'], 503);
    const [code, reason] = await closed;
    assert.equal(code, 1011);
    assert.match(String(reason), /runner of this connection is gone/);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
  });

  it('that breaks off in the middle of an answer is closed, without an end', async () => {
    await using fixture = await createWsFixture((request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => request.socket.destroy());
    });
    const reader = await open(fixture);
    reader.socket.send('{}');
    const [code] = (await once(reader.socket, 'close')) as [number];
    assert.equal(code, 1011);
    assert.deepEqual(
      reader.texts().map(({ type }) => type),
      ['start'],
    );
    await fixture.dispatcher.released(1);
  });

  it('ends a request at request_timeout with 504, and its runner', async () => {
    const clock = createVirtualClock();
    const arrived = Promise.withResolvers<void>();
    await using fixture = await createWsFixture(() => arrived.resolve(), {
      clock,
      target: { requestTimeoutSeconds: 60 },
    });
    const reader = await open(fixture);
    await clock.advance(3_000_000);
    assert.equal(reader.socket.readyState, reader.socket.OPEN, 'the time of the socket is not that of a request');
    reader.socket.send('{}');
    await arrived.promise;
    const answer = reader.answer();
    await clock.advance(60_000);
    const { start, body } = await answer;
    assert.equal(start['status'], 504);
    assert.match(String(body), /request_timeout of 60 s/);
    assert.equal((await fixture.dispatcher.released(1))[0]!.kind, 'terminate');
  });

  it('left by its caller tells the app, with the request id, and frees the runner when it knows', async () => {
    const cancelled = Promise.withResolvers<IncomingMessage>();
    const arrived = Promise.withResolvers<IncomingMessage>();
    await using fixture = await createWsFixture((request, response) => {
      if (request.url !== '/predict/cancel') return arrived.resolve(request);
      cancelled.resolve(request);
      response.end();
    });
    const reader = await open(fixture);
    reader.socket.send('{}');
    const request = await arrived.promise;
    request.on('error', () => {});
    const gone = new Promise((resolve) => request.on('close', resolve));
    reader.socket.terminate();
    assert.equal((await cancelled.promise).headers['x-fal-request-id'], request.headers['x-fal-request-id']);
    await gone;
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'abandoned' }]);
  });

  it('is refused like a request, and plain HTTP at its address is told so', async () => {
    await using fixture = await createWsFixture(echo, { target: { authMode: 'private' } });
    const socket = new WebSocket(socketUrl(fixture));
    socket.on('error', () => {});
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, 401);
    response.resume();
    const plain = await fetch(`${fixture.url}/alice/hello`, { method: 'POST', headers: { authorization: ownerKey } });
    assert.equal(plain.status, 400);
    assert.match(await plain.text(), /WebSocket only/);
  });

  it('without requests for long is closed with 1000, and with 1011 when its runner ends meanwhile', async () => {
    const clock = createVirtualClock();
    await using fixture = await createWsFixture(echo, { clock, limits: { socketIdleMs: 60_000 } });
    const idle = await open(fixture);
    await clock.advance(40_000);
    idle.socket.send('{}');
    await idle.answer();
    await clock.advance(40_000);
    const orphan = await open(fixture);
    const idleClosed = once(idle.socket, 'close') as Promise<[number, Buffer]>;
    await clock.advance(20_000);
    assert.deepEqual((await idleClosed).map(String), ['1000', 'No request for 60 s.']);
    const orphanClosed = once(orphan.socket, 'close') as Promise<[number]>;
    fixture.gateway.forgetRunner(`runner-${fixture.appPort}`);
    assert.equal((await orphanClosed)[0], 1011);
    await fixture.dispatcher.released(2);
  });

  it('with a message too large is closed with 1009', async () => {
    await using fixture = await createWsFixture(echo, { limits: { maxSocketMessageBytes: 1_000 } });
    const reader = await open(fixture);
    reader.socket.send('x'.repeat(1_001));
    assert.equal(((await once(reader.socket, 'close')) as [number])[0], 1009);
    await fixture.dispatcher.released(1);
  });

  it('gives the app whatever is sent as it was sent, and its answer back', async () => {
    await using fixture = await createWsFixture(echo);
    const reader = await open(fixture);
    const message = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 2_000 }),
      fc.json(),
    );
    await fc.assert(
      fc.asyncProperty(message, async (sent) => {
        reader.socket.send(sent);
        const { body } = await reader.answer();
        assert.deepEqual(body, Buffer.from(typeof sent === 'string' ? Buffer.from(sent) : sent));
      }),
      { numRuns: 60, seed: 1 },
    );
    reader.socket.close();
    await fixture.dispatcher.released(1);
  });
});
