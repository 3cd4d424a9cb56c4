import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { describe, it } from 'node:test';
import { createFixture, ownerKey, readText, type Fixture } from './testing/gateway-fixture.ts';

async function withSession(fixture: Fixture, run: (session: ClientHttp2Session) => Promise<void>): Promise<void> {
  const session = connect(fixture.http2Url);
  session.on('error', () => {});
  try {
    await run(session);
  } finally {
    session.destroy();
  }
}

async function answerOf(stream: ClientHttp2Stream): Promise<{ headers: IncomingHttpHeaders; text: string }> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return { headers, text: await readText(stream) };
}

describe('callers with HTTP/2', () => {
  it('reach the app over HTTP/1.1 with everything that belongs to a request', async () => {
    await using fixture = await createFixture({
      app: async (request, response) => {
        response.writeHead(200, { connection: 'close, x-gone', 'x-gone': '1', 'set-cookie': ['a=1', 'b=2'] });
        response.end(JSON.stringify({ url: request.url, headers: request.headers, body: await readText(request) }));
      },
    });
    await withSession(fixture, async (session) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/alice/hello/x?y=1',
        authorization: ownerKey,
        cookie: ['a=1', 'b=2'],
      });
      stream.end('hello');
      const { headers, text } = await answerOf(stream);
      assert.equal(headers[':status'], 200);
      assert.equal(headers['connection'], undefined);
      assert.equal(headers['x-gone'], undefined);
      assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
      const seen = JSON.parse(text) as { url: string; headers: Record<string, string>; body: string };
      assert.equal(seen.url, '/x?y=1');
      assert.equal(seen.body, 'hello');
      assert.equal(seen.headers['cookie'], 'a=1; b=2');
      assert.equal(seen.headers['host'], new URL(fixture.http2Url).host);
      assert.equal(seen.headers['authorization'], undefined);
      assert.equal(
        Object.keys(seen.headers).some((name) => name.startsWith(':')),
        false,
      );
    });
  });

  it('get small, large and streamed bodies through, side by side', async () => {
    await using fixture = await createFixture({ app: (request, response) => void request.pipe(response) });
    await withSession(fixture, async (session) => {
      const sizes = [0, 10, 200_000, 3_000_000];
      const answers = await Promise.all(
        sizes.map((size) => {
          const stream = session.request({ ':method': 'POST', ':path': '/alice/hello' });
          stream.end(Buffer.alloc(size, 1));
          return answerOf(stream);
        }),
      );
      assert.deepEqual(
        answers.map(({ text }) => text.length),
        sizes,
      );
    });
  });

  it('get the head of a stream before its first byte', async () => {
    const finish = Promise.withResolvers<() => void>();
    await using fixture = await createFixture({
      app: (_, response) => {
        response.flushHeaders();
        finish.resolve(() => void response.end('late'));
      },
    });
    await withSession(fixture, async (session) => {
      const stream = session.request({ ':path': '/alice/hello' });
      await once(stream, 'response');
      (await finish.promise)();
      assert.equal(await readText(stream), 'late');
    });
  });

  it('get errors as JSON, also while they still send', async () => {
    await using fixture = await createFixture({ limits: { maxBodyBytes: 10, discardBytes: 10 } });
    await withSession(fixture, async (session) => {
      const stream = session.request({ ':method': 'POST', ':path': '/alice/hello', 'content-length': '500000' });
      stream.on('error', () => {});
      stream.write(Buffer.alloc(400_000));
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      const ended = Promise.withResolvers<void>();
      stream.on('end', () => ended.resolve());
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      await ended.promise;
      assert.equal(headers[':status'], 413);
      assert.match(text, /larger than 10 bytes/);
      assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
      const next = session.request({ ':path': '/alice/ghost' });
      assert.equal((await answerOf(next)).headers[':status'], 401);
    });
  });

  it('see a reset when the app breaks off', async () => {
    await using fixture = await createFixture({
      tcp: (socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'));
      },
    });
    await withSession(fixture, async (session) => {
      const stream = session.request({ ':path': '/alice/hello' });
      const broken = Promise.withResolvers<void>();
      stream.on('error', () => {});
      stream.on('close', () => broken.resolve());
      stream.resume();
      await broken.promise;
      assert.equal(stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
      assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
    });
  });

  it('reach the app with their leaving, without hurting the other calls of the connection', async () => {
    const working = Promise.withResolvers<void>();
    const dropped = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      app: (request, response) => {
        if (request.url !== '/work') return void response.end('fine');
        request.socket.on('close', () => dropped.resolve());
        working.resolve();
      },
    });
    await withSession(fixture, async (session) => {
      const stream = session.request({ ':path': '/alice/hello/work' });
      stream.on('error', () => {});
      await working.promise;
      stream.close(constants.NGHTTP2_CANCEL);
      await dropped.promise;
      assert.deepEqual((await fixture.dispatcher.released(1))[0], { kind: 'abandoned' });
      assert.equal((await answerOf(session.request({ ':path': '/alice/hello' }))).text, 'fine');
    });
  });

  it('get HEAD, 204 and trailers right', async () => {
    await using fixture = await createFixture({
      app: (request, response) => {
        if (request.method === 'HEAD') return void response.writeHead(200, { 'content-length': '7' }).end();
        if (request.url === '/none') return void response.writeHead(204).end();
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': '42' });
        response.end();
      },
    });
    await withSession(fixture, async (session) => {
      const head = await answerOf(session.request({ ':method': 'HEAD', ':path': '/alice/hello' }));
      assert.equal(head.headers['content-length'], '7');
      const none = await answerOf(session.request({ ':path': '/alice/hello/none' }));
      assert.equal(none.headers[':status'], 204);
      const stream = session.request({ ':path': '/alice/hello' });
      const trailers = once(stream, 'trailers') as Promise<[IncomingHttpHeaders]>;
      assert.equal((await answerOf(stream)).text, 'body');
      assert.equal((await trailers)[0]['x-sum'], '42');
    });
  });
});
