import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { systemClock, type Clock } from '@lanner/protocol';
import { createVirtualClock } from '../../lib/virtual-clock.ts';
import { createRunnerTransport } from './runner-transport.ts';
import type { UpstreamFailure, UpstreamHeaders, UpstreamReceiver, UpstreamRequest } from './upstream-transport.ts';

const get: UpstreamRequest = { method: 'GET', path: '/', headers: [], body: null };

interface Outcome {
  status: number;
  headers: UpstreamHeaders;
  body: Buffer;
  failure: UpstreamFailure | null;
}

class Recorder implements UpstreamReceiver {
  readonly over = Promise.withResolvers<Outcome>();
  readonly begun = Promise.withResolvers<void>();
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #headers: UpstreamHeaders = {};

  onHead(status: number, _: string, headers: UpstreamHeaders): void {
    this.#status = status;
    this.#headers = headers;
    this.begun.resolve();
  }
  onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }
  onEnd(): void {
    this.#finish(null);
  }
  onFailure(failure: UpstreamFailure): void {
    this.#finish(failure);
  }

  #finish(failure: UpstreamFailure | null): void {
    this.over.resolve({
      ...{ status: this.#status, headers: this.#headers, failure },
      body: Buffer.concat(this.#chunks),
    });
  }
}

/** A runner with the sockets that it was ever given. */
async function createRunner(server: Server, clock: Clock = systemClock) {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = { runnerId: 'runner', host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const limits = { maxResponseHeaderBytes: 1000, connectTimeoutMs: 5000, idleConnectionMs: 4000 };
  const transport = createRunnerTransport({ clock, ...limits });
  const start = (request: Partial<UpstreamRequest> = {}) => {
    const recorder = new Recorder();
    return { recorder, exchange: transport.send(address, { ...get, ...request }, recorder) };
  };
  return {
    ...{ sockets, transport, address, start },
    async call(request: Partial<UpstreamRequest> = {}): Promise<Outcome> {
      return start(request).recorder.over.promise;
    },
    async [Symbol.asyncDispose]() {
      await transport.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const answering = (answer: (request: IncomingMessage, response: ServerResponse) => void): Server =>
  createServer({ keepAliveTimeout: 0 }, answer);

/** Answers every request with these bytes, whatever it asks. */
const repeating = (bytes: string): Server =>
  createTcpServer((socket) => void socket.on('data', () => void socket.write(bytes)));

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.on('close', () => resolve());
  });

describe('connections to a runner', () => {
  it('are kept, and as many as there are requests at once', async () => {
    await using runner = await createRunner(answering((_, response) => void response.end('ok')));
    for (let index = 0; index < 3; index += 1) assert.equal((await runner.call()).status, 200);
    assert.equal(runner.sockets.length, 1);
    await Promise.all([runner.call(), runner.call(), runner.call()]);
    assert.equal(runner.sockets.length, 3);
    await Promise.all([runner.call(), runner.call(), runner.call()]);
    assert.equal(runner.sockets.length, 3);
  });

  it('are closed after they carried nothing for a while', async () => {
    const clock = createVirtualClock();
    await using runner = await createRunner(
      answering((_, response) => void response.end('ok')),
      clock,
    );
    await runner.call();
    await clock.advance(3000);
    await runner.call();
    assert.equal(runner.sockets.length, 1);
    await clock.advance(9000);
    await closed(runner.sockets[0]!);
    await runner.call();
    assert.equal(runner.sockets.length, 2);
  });

  it('are not used as long as the app itself would keep them', async () => {
    const clock = createVirtualClock();
    const head = 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=2, max=100\r\ncontent-length: 2\r\n\r\nok';
    await using runner = await createRunner(repeating(head), clock);
    await runner.call();
    await clock.advance(900);
    await runner.call();
    assert.equal(runner.sockets.length, 1);
    await clock.advance(1100);
    await runner.call();
    assert.equal(runner.sockets.length, 2);
  });

  for (const [what, bytes] of [
    ['the app says that it closes it', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'],
    ['an endpoint has failed', 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n'],
    ['more comes than was asked for', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['the app keeps it for no time', 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n'],
  ] as const) {
    it(`carry nothing more when ${what}`, async () => {
      await using runner = await createRunner(repeating(bytes));
      assert.equal((await runner.call()).failure, null);
      assert.equal((await runner.call()).failure, null);
      assert.equal(runner.sockets.length, 2);
      await closed(runner.sockets[0]!);
    });
  }

  it('that the app closes between two requests are not used again', async () => {
    await using runner = await createRunner(answering((_, response) => void response.end('ok')));
    await runner.call();
    // Whoever waits for the other side to hang up has heard of it before: the order of one event loop.
    runner.sockets[0]!.end();
    await closed(runner.sockets[0]!);
    assert.equal((await runner.call()).status, 200);
    assert.equal(runner.sockets.length, 2);
  });

  it('of a runner that is forgotten finish what they carry and are closed', async () => {
    const arrived = Promise.withResolvers<ServerResponse>();
    let calls = 0;
    await using runner = await createRunner(
      answering((_, response) => {
        if (++calls === 2) arrived.resolve(response);
        else response.end('ok');
      }),
    );
    await runner.call();
    const pending = runner.call();
    const response = await arrived.promise;
    runner.transport.forget('runner');
    response.end('late');
    assert.equal((await pending).body.toString(), 'late');
    await closed(runner.sockets[0]!);
  });

  it('end with the transport, and what they carry fails', async () => {
    const arrived = Promise.withResolvers<void>();
    await using runner = await createRunner(answering(() => arrived.resolve()));
    const pending = runner.call();
    await arrived.promise;
    await runner.transport.close();
    assert.equal((await pending).failure?.kind, 'disconnected');
  });
});

describe('a request', () => {
  it('is one piece with its small body', async () => {
    const pieces: string[] = [];
    await using runner = await createRunner(
      createTcpServer((socket) => {
        socket.on('data', (piece) => {
          pieces.push(piece.toString());
          socket.write('HTTP/1.1 204 No Content\r\n\r\n');
        });
      }),
    );
    await runner.call({ method: 'POST', path: '/x', headers: ['host', 'h', 'x-a', 'b'], body: Buffer.from('{}') });
    assert.deepEqual(pieces, [
      'POST /x HTTP/1.1\r\nhost: h\r\nx-a: b\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}',
    ]);
  });

  it('with a streamed body arrives whole, with its length or in chunks', async () => {
    const bytes = Buffer.alloc(3_000_000, 'lanner ');
    await using runner = await createRunner(
      answering((request, response) => {
        const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
        response.writeHead(200, { 'x-length': length ?? '', 'x-coding': coding ?? '' });
        request.pipe(response);
      }),
    );
    const cut = (): Readable =>
      Readable.from([bytes.subarray(0, 1), bytes.subarray(1, 70_000), bytes.subarray(70_000)]);
    const sized = await runner.call({ method: 'POST', headers: ['content-length', '3000000'], body: cut() });
    assert.deepEqual([sized.headers['x-length'], sized.headers['x-coding']], ['3000000', '']);
    assert.ok(sized.body.equals(bytes));
    const open = await runner.call({ method: 'POST', body: cut() });
    assert.deepEqual([open.headers['x-length'], open.headers['x-coding']], ['', 'chunked']);
    assert.ok(open.body.equals(bytes));
    assert.equal(runner.sockets.length, 1);
  });

  for (const [what, body] of [
    ['shorter than announced', () => Readable.from([Buffer.from('abc')])],
    ['longer than announced', () => Readable.from([Buffer.from('abcde')])],
    [
      'broken off',
      () =>
        new Readable({
          read() {
            this.destroy(new Error('gone'));
          },
        }),
    ],
  ] as [string, () => Readable][]) {
    it(`whose body is ${what} is broken off, so that it cannot be taken for a whole one`, async () => {
      const ended = Promise.withResolvers<void>();
      await using runner = await createRunner(
        answering((request) => void request.on('error', () => ended.resolve()).resume()),
      );
      const outcome = await runner.call({ method: 'POST', headers: ['content-length', '4'], body: body() });
      assert.equal(outcome.failure?.kind, 'bad-request');
      if (what !== 'longer than announced') await Promise.race([ended.promise, closed(runner.sockets[0]!)]);
    });
  }

  it('that the app answers before it has it all ends the connection with the answer', async () => {
    const body = new PassThrough();
    body.on('error', () => {});
    await using runner = await createRunner(answering((_, response) => void response.writeHead(413).end('too large')));
    body.write('some of it');
    const outcome = await runner.call({ method: 'POST', headers: ['content-length', '1000000'], body });
    assert.equal(outcome.status, 413);
    assert.equal(outcome.body.toString(), 'too large');
    await closed(runner.sockets[0]!);
    body.destroy();
    assert.equal((await runner.call()).status, 413);
    assert.equal(runner.sockets.length, 2);
  });

  it('takes no more from its body than the app takes from it', async () => {
    const arrived = Promise.withResolvers<IncomingMessage>();
    await using runner = await createRunner(
      answering((request, response) => {
        arrived.resolve(request.on('end', () => void response.end('got it')));
      }),
    );
    const totalBytes = 64 * 1024 ** 2;
    let producedBytes = 0;
    const stalled = Promise.withResolvers<void>();
    const body = new Readable({
      read() {
        if (producedBytes === totalBytes) return void this.push(null);
        producedBytes += 65_536;
        this.push(Buffer.alloc(65_536));
        const before = producedBytes;
        // Nothing was asked for over many turns of the event loop: the way is full.
        let turns = 0;
        const look = (): void => {
          if (producedBytes !== before) return;
          turns += 1;
          if (turns === 50) stalled.resolve();
          else setImmediate(look);
        };
        setImmediate(look);
      },
    });
    const pending = runner.call({ method: 'POST', headers: ['content-length', String(totalBytes)], body });
    const request = await arrived.promise;
    await stalled.promise;
    assert.ok(producedBytes < totalBytes, `${producedBytes} bytes were taken`);
    request.resume();
    assert.equal((await pending).body.toString(), 'got it');
  });

  it('that cannot be written fails after its exchange was handed out, and sends nothing', async () => {
    await using runner = await createRunner(answering((_, response) => void response.end()));
    const { recorder } = runner.start({ headers: ['x', 'a\nb'] });
    assert.equal((await recorder.over.promise).failure?.kind, 'bad-request');
    const aborted = runner.start({ path: 'nowhere' });
    aborted.exchange.abort();
    assert.equal((await runner.call()).status, 200);
    assert.equal(runner.sockets.length, 1);
  });
});

describe('an exchange', () => {
  it('that is aborted drops the connection and hears nothing more', async () => {
    const arrived = Promise.withResolvers<ServerResponse>();
    await using runner = await createRunner(answering((_, response) => arrived.resolve(response)));
    const { recorder, exchange } = runner.start();
    recorder.onHead = recorder.onFailure = () => assert.fail('told of an aborted exchange');
    const response = await arrived.promise;
    exchange.abort();
    exchange.abort();
    await closed(response.req.socket);
  });

  it('that is over does not touch the next one on its connection', async () => {
    await using runner = await createRunner(answering((_, response) => void response.end('ok')));
    const first = runner.start();
    await first.recorder.over.promise;
    const second = runner.start();
    first.exchange.abort();
    first.exchange.pause();
    assert.equal((await second.recorder.over.promise).body.toString(), 'ok');
    assert.equal(runner.sockets.length, 1);
  });

  it('that is paused lets the app wait, and goes on', async () => {
    const bytes = Buffer.alloc(32 * 1024 ** 2, 1);
    const blocked = Promise.withResolvers<void>();
    await using runner = await createRunner(
      answering((_, response) => {
        if (!response.write(bytes)) blocked.resolve();
        response.end();
      }),
    );
    const { recorder, exchange } = runner.start();
    await recorder.begun.promise;
    exchange.pause();
    await blocked.promise;
    assert.ok(runner.sockets[0]!.writableLength > 0);
    exchange.resume();
    assert.equal((await recorder.over.promise).body.length, bytes.length);
  });

  it('fails by what happened to it', async () => {
    await using silent = await createRunner(createTcpServer((socket) => void socket.once('data', () => socket.end())));
    assert.equal((await silent.call()).failure?.kind, 'disconnected');
    await using garbage = await createRunner(repeating('220 smtp.example ESMTP\r\n'));
    assert.equal((await garbage.call()).failure?.kind, 'bad-answer');
    await using cut = await createRunner(
      createTcpServer(
        (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab')),
      ),
    );
    const short = await cut.call();
    assert.deepEqual([short.failure?.kind, short.body.toString()], ['disconnected', 'ab']);
    const nobody = createTcpServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as AddressInfo;
    nobody.close();
    await once(nobody, 'close');
    const recorder = new Recorder();
    cut.transport.send({ runnerId: 'gone', host: '127.0.0.1', port }, get, recorder);
    assert.equal((await recorder.over.promise).failure?.kind, 'refused');
  });
});
