import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createFixture, type Fixture } from './testing/gateway-fixture.ts';

interface Answer {
  status: number;
  errorType: string | null;
  requestId: string | null;
  detail: unknown;
  headers: Headers;
}

async function call(fixture: Fixture, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${fixture.url}/alice/hello/x`, init);
  const body = (await response.json()) as { detail: unknown; error_type?: string };
  assert.equal(body.error_type ?? null, response.headers.get('x-fal-error-type'));
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.equal(typeof body.detail, 'string');
  return {
    status: response.status,
    errorType: response.headers.get('x-fal-error-type'),
    requestId: response.headers.get('x-fal-request-id'),
    detail: body.detail,
    headers: response.headers,
  };
}

/** An app that answers the first bytes it gets with these bytes, and closes. */
const answering = (bytes: string) => ({
  tcp: (socket: import('node:net').Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(bytes));
  },
});

describe('an app that misbehaves before its answer', () => {
  it('refusing the connection is 503 runner_connection_refused', async () => {
    const closed = createServer();
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    await using fixture = await createFixture();
    fixture.dispatcher.onAcquire = async () => fixture.dispatcher.slotAt(port);
    const answer = await call(fixture, { method: 'POST', body: 'x'.repeat(200_000) });
    assert.equal(answer.status, 503);
    assert.equal(answer.errorType, 'runner_connection_refused');
    assert.ok(answer.requestId);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
  });

  it('closing without a word is 503 runner_disconnected', async () => {
    await using fixture = await createFixture(answering(''));
    const answer = await call(fixture);
    assert.equal(answer.status, 503);
    assert.equal(answer.errorType, 'runner_disconnected');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
  });

  for (const [what, bytes] of [
    ['garbage', 'hello, this is no HTTP at all\r\n\r\n'],
    ['a length that contradicts itself', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'length and chunks at once',
      'HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['more than 16 KB of headers', `HTTP/1.1 200 OK\r\nx-big: ${'x'.repeat(17_000)}\r\n\r\n`],
  ] as const) {
    it(`sending ${what} is 502 runner_incomplete_response`, async () => {
      await using fixture = await createFixture(answering(bytes));
      const answer = await call(fixture);
      assert.equal(answer.status, 502);
      assert.equal(answer.errorType, 'runner_incomplete_response');
      assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
    });
  }

  it('taking longer than request_timeout is 504, drops the connection and replaces the runner', async () => {
    const clock = createVirtualClock();
    const dropped = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      clock,
      target: { requestTimeoutSeconds: 30 },
      app: (request) => {
        request.socket.on('close', () => dropped.resolve());
        arrived.resolve();
      },
    });
    const pending = call(fixture);
    await arrived.promise;
    await clock.advance(30_000);
    const answer = await pending;
    assert.equal(answer.status, 504);
    assert.equal(answer.errorType, 'request_timeout');
    assert.equal(answer.headers.get('x-fal-request-timeout-type'), null);
    await dropped.promise;
    assert.deepEqual(await fixture.dispatcher.released(1), [
      { kind: 'terminate', reason: 'request_timeout of 30 s exceeded' },
    ]);
  });
});

describe('an app that breaks off its answer', () => {
  for (const [what, bytes] of [
    ['within its announced length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'],
    ['within its chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
  ] as const) {
    it(`${what} leaves the caller with a broken answer, not a short one`, async () => {
      await using fixture = await createFixture(answering(bytes));
      const response = await fetch(`${fixture.url}/alice/hello`);
      assert.equal(response.status, 200);
      await assert.rejects(response.text());
      assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
      const [record] = await fixture.logged(1);
      assert.ok(record!['errorCode']);
    });
  }

  it('may end a body without length by closing', async () => {
    await using fixture = await createFixture(answering('HTTP/1.1 200 OK\r\n\r\nall of it'));
    const response = await fetch(`${fixture.url}/alice/hello`);
    assert.equal(await response.text(), 'all of it');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('by exceeding request_timeout in the middle breaks the answer too', async () => {
    const clock = createVirtualClock();
    await using fixture = await createFixture({
      clock,
      target: { requestTimeoutSeconds: 10 },
      app: (_, response) => void response.write('begun'),
    });
    const response = await fetch(`${fixture.url}/alice/hello`);
    const rest = response.text();
    const broken = assert.rejects(rest);
    await clock.advance(10_000);
    await broken;
    assert.equal((await fixture.dispatcher.released(1))[0]!.kind, 'terminate');
  });
});

describe('a slot that cannot be had', () => {
  it('passes the reason of the dispatcher on', async () => {
    await using fixture = await createFixture();
    fixture.dispatcher.onAcquire = async () => {
      throw new LannerError('startup_timeout', 'No runner became ready within 600 s.');
    };
    const answer = await call(fixture, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 504);
    assert.equal(answer.errorType, 'startup_timeout');
    assert.equal(answer.detail, 'No runner became ready within 600 s.');
  });

  it('because the start deadline passed is marked as the wish of the caller', async () => {
    await using fixture = await createFixture();
    fixture.dispatcher.onAcquire = async () => {
      throw new LannerError('start_timeout', 'No runner took the request within 2 s.');
    };
    const answer = await call(fixture);
    assert.equal(answer.status, 504);
    assert.equal(answer.headers.get('x-fal-request-timeout-type'), 'user');
  });

  it('because of a defect says nothing about it to the caller and everything to the log', async () => {
    await using fixture = await createFixture();
    fixture.dispatcher.onAcquire = async () => {
      throw new TypeError('inner detail');
    };
    const answer = await call(fixture);
    assert.equal(answer.status, 500);
    assert.equal(answer.errorType, 'internal_error');
    assert.doesNotMatch(String(answer.detail), /inner detail/);
    const [record] = await fixture.logged(1);
    assert.equal(record!['level'], 'error');
    assert.ok(fixture.records.some((entry) => JSON.stringify(entry).includes('inner detail')));
  });
});

describe('a body over the limit', () => {
  it('is 413 before a slot is taken when its length is announced', async () => {
    await using fixture = await createFixture({ limits: { maxBodyBytes: 1000 } });
    const answer = await call(fixture, { method: 'POST', body: 'x'.repeat(1001) });
    assert.equal(answer.status, 413);
    assert.equal(fixture.dispatcher.requests.length, 0);
  });

  it('is 413 as soon as it is noticed when it comes in chunks, and the app is disconnected', async () => {
    const dropped = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      limits: { maxBodyBytes: 100_000 },
      app: (request) => {
        request.resume();
        request.on('error', () => {});
        request.socket.on('close', () => dropped.resolve());
      },
    });
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 5; index += 1) controller.enqueue(Buffer.alloc(50_000));
        controller.close();
      },
    });
    const answer = await call(fixture, { method: 'POST', body, duplex: 'half' } as RequestInit);
    assert.equal(answer.status, 413);
    await dropped.promise;
    assert.equal((await fixture.dispatcher.released(1)).length, 1);
  });

  it('that never ends gets the connection closed after the answer', async () => {
    await using fixture = await createFixture({ limits: { maxBodyBytes: 1000, discardBytes: 10_000 } });
    const socket = connect(fixture.port, '127.0.0.1');
    const closed = Promise.withResolvers<void>();
    socket.on('error', () => {});
    socket.on('close', () => closed.resolve());
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString()));
    socket.write('POST /alice/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n');
    const feed = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(16_384)));
    };
    socket.once('data', () => {
      socket.on('drain', feed);
      feed();
    });
    await closed.promise;
    assert.match(received, /^HTTP\/1\.1 413 /);
  });
});

describe('a connection after an error', () => {
  it('carries the next request', async () => {
    await using fixture = await createFixture({ limits: { maxBodyBytes: 1000 } });
    const socket = connect(fixture.port, '127.0.0.1');
    let received = '';
    const second = Promise.withResolvers<void>();
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received.includes('HTTP/1.1 200 ')) second.resolve();
    });
    socket.write(`POST /alice/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n${'x'.repeat(2000)}`);
    socket.write('GET /alice/hello HTTP/1.1\r\nhost: x\r\n\r\n');
    await second.promise;
    assert.match(received, /^HTTP\/1\.1 413 /);
    socket.destroy();
  });
});
