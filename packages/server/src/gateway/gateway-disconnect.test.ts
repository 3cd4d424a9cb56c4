import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createFixture, readText } from './testing/gateway-fixture.ts';

const get = 'GET /alice/hello/work?x=1 HTTP/1.1\r\nhost: x\r\n\r\n';

describe('a caller that goes away', () => {
  it('while its small body is arriving costs no slot', async () => {
    await using fixture = await createFixture();
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write('POST /alice/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf');
    await once(socket, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    const [record] = await fixture.logged(1);
    assert.equal(record!['status'], 499);
    assert.equal(record!['errorCode'], 'client_disconnected');
    assert.equal(fixture.dispatcher.requests.length, 0);
  });

  it('while it waits for a slot is no demand any more', async () => {
    await using fixture = await createFixture();
    const waiting = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    fixture.dispatcher.onAcquire = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve(signal.reason);
          reject(signal.reason as Error);
        });
        waiting.resolve();
      });
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write(get);
    await waiting.promise;
    socket.destroy();
    const reason = await aborted.promise;
    assert.ok(reason instanceof LannerError && reason.code === 'client_disconnected');
    assert.equal((await fixture.logged(1))[0]!['status'], 499);
  });

  it('just before its slot comes gives the slot back unused', async () => {
    await using fixture = await createFixture();
    const waiting = Promise.withResolvers<void>();
    const grant = Promise.withResolvers<void>();
    fixture.dispatcher.onAcquire = async () => {
      waiting.resolve();
      await grant.promise;
      return fixture.dispatcher.slotAt(fixture.appPort);
    };
    let calls = 0;
    fixture.appServer.on('request', () => (calls += 1));
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write(get);
    await waiting.promise;
    socket.destroy();
    await fixture.logged(1);
    grant.resolve();
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'abandoned' }]);
    assert.equal(calls, 0);
  });

  for (const hasBegun of [false, true]) {
    it(`while the app ${hasBegun ? 'answers' : 'works'} is told to the app by /cancel and a disconnect`, async () => {
      const working = Promise.withResolvers<void>();
      const dropped = Promise.withResolvers<void>();
      const cancelled = Promise.withResolvers<IncomingMessage>();
      let workId: unknown;
      await using fixture = await createFixture({
        app: (request, response) => {
          if (request.url === '/work/cancel') {
            cancelled.resolve(request);
            response.end();
            return;
          }
          workId = request.headers['x-fal-request-id'];
          request.socket.on('close', () => dropped.resolve());
          if (hasBegun) response.write('first');
          working.resolve();
        },
      });
      const socket = connect(fixture.port, '127.0.0.1');
      socket.write(get);
      await working.promise;
      if (hasBegun) await once(socket, 'data');
      socket.destroy();
      await dropped.promise;
      const cancel = await cancelled.promise;
      assert.equal(cancel.method, 'POST');
      assert.equal(cancel.headers['x-fal-request-id'], workId);
      assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'abandoned' }]);
      const [record] = await fixture.logged(1);
      assert.equal(record!['errorCode'], 'client_disconnected');
      assert.equal(record!['runnerId'], `runner-${fixture.appPort}`);
    });
  }

  it('keeps its slot taken until a busy app has answered /cancel, but not for ever', async () => {
    const clock = createVirtualClock();
    const working = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      clock,
      limits: { cancelTimeoutMs: 5_000 },
      app: (request) => (request.url === '/work/cancel' ? asked.resolve() : working.resolve()),
    });
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write(get);
    await working.promise;
    socket.destroy();
    await asked.promise;
    await clock.advance(4_999);
    assert.equal(fixture.dispatcher.held, 1);
    await clock.advance(1);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'abandoned' }]);
  });

  it('in the middle of a large upload is told to the app', async () => {
    const broken = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      app: (request, response) => {
        if (request.url!.endsWith('/cancel')) return void response.end();
        request.once('data', () => begun.resolve());
        request.on('error', () => broken.resolve());
        request.resume();
      },
    });
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write('POST /alice/hello HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n');
    socket.write(Buffer.alloc(100_000));
    await begun.promise;
    socket.destroy();
    await broken.promise;
    assert.equal((await fixture.dispatcher.released(1)).length, 1);
  });

  it('after the app is done changes nothing', async () => {
    await using fixture = await createFixture();
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write(get);
    await once(socket, 'data');
    socket.destroy();
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
    assert.equal((await fixture.logged(1))[0]!['status'], 200);
  });
});

describe('stopping the gateway', () => {
  it('lets calls finish, refuses new ones, and is idempotent', async () => {
    const working = Promise.withResolvers<() => void>();
    await using fixture = await createFixture({
      app: (_, response) => working.resolve(() => void response.end('done')),
    });
    const first = fetch(`${fixture.url}/alice/hello`);
    const finish = await working.promise;
    const stopping = fixture.gateway.stop({ graceMs: 60_000 });
    const late = await fetch(`${fixture.url}/alice/hello`);
    assert.equal(late.status, 503);
    assert.ok(late.headers.get('x-fal-request-id'));
    finish();
    assert.equal(await (await first).text(), 'done');
    await stopping;
    assert.equal(fixture.gateway.activeCalls, 0);
    await fixture.gateway.stop({ graceMs: 0 });
  });

  it('ends what is left after the grace period', async () => {
    const working = Promise.withResolvers<void>();
    await using fixture = await createFixture({ app: () => working.resolve() });
    const call = fetch(`${fixture.url}/alice/hello`);
    await working.promise;
    await fixture.gateway.stop({ graceMs: 1 });
    const response = await call;
    assert.equal(response.status, 503);
    assert.match(await readText(response.body as unknown as AsyncIterable<Buffer>), /stopping/);
  });
});
