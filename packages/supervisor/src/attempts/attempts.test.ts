import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock, type AttemptOrder, type AttemptOutcome, type AttemptSnapshot } from '@lanner/protocol';
import { createEventLog, type EventLog } from '../events/event-log.ts';
import { createResultSpool } from '../events/result-spool.ts';
import { silentLog } from '../lib/log.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import type { AttemptBody } from './send-attempt.ts';

describe('attempts', () => {
  let folder: string;
  let events: EventLog;
  let attempts: Attempts;
  let servers: (Server | TcpServer)[];
  let sockets: Set<Socket>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-attempts-'));
    servers = [];
    sockets = new Set();
    events = createEventLog({ clock: systemClock });
    const results = createResultSpool(folder, systemClock);
    await results.start();
    attempts = createAttempts({ events, results, clock: systemClock, log: silentLog });
  });
  afterEach(async () => {
    attempts.stop();
    for (const socket of sockets) socket.destroy();
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const listen = async (server: Server | TcpServer): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const start = (port: number, more: Partial<AttemptOrder> = {}, body: AttemptBody = Buffer.alloc(0)): string => {
    const attemptId = more.attemptId ?? randomUUID();
    const order = {
      attemptId,
      requestNumber: 7,
      attemptNumber: 2,
      port,
      method: 'POST',
      path: '/x',
      headers: [],
      timeoutMs: 10_000,
      bodyBytes: Buffer.isBuffer(body) ? body.length : 0,
      ...more,
    };
    attempts.start({ runnerId: 'runner', host: '127.0.0.1' }, order, body);
    return attemptId;
  };
  const outcomeOf = async (attemptId: string): Promise<AttemptOutcome> => {
    for (let seq = 0; ; seq = events.lastSeq) {
      for (const event of events.readAfter(0, 1000)) {
        if (event.type === 'attempt.finished' && event.attemptId === attemptId) return event.outcome;
      }
      await events.waitAfter(Math.max(seq, events.lastSeq), AbortSignal.timeout(10_000));
    }
  };
  const app = (handler: RequestListener): Promise<number> => listen(createServer(handler));
  const failureOf = async (attemptId: string): Promise<string> => {
    const outcome = await outcomeOf(attemptId);
    return outcome.kind === 'failed' ? outcome.failure : outcome.kind;
  };

  it('sends method, path, headers and body, and keeps the answer until it is forgotten', async () => {
    const port = await app(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      response.writeHead(201, { 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
      response.end(
        JSON.stringify([
          request.method,
          request.url,
          request.headers['x-fal-request-id'],
          Buffer.concat(chunks).toString(),
        ]),
      );
    });
    const id = start(
      port,
      { method: 'PUT', path: '/y?z=1', headers: ['x-fal-request-id', 'r1'] },
      Buffer.from('input'),
    );
    const outcome = await outcomeOf(id);
    assert.ok(outcome.kind === 'answered');
    assert.deepEqual([outcome.status, outcome.headers['set-cookie']], [201, ['a=1', 'b=2']]);
    assert.equal(Buffer.from(outcome.body!, 'base64').toString(), '["PUT","/y?z=1","r1","input"]');
    const [{ startedAtMs, ...known }] = attempts.list() as [AttemptSnapshot];
    assert.deepEqual(known, { attemptId: id, runnerId: 'runner', requestNumber: 7, attemptNumber: 2, outcome });
    assert.ok(startedAtMs <= outcome.startedAtMs);
    await attempts.forget(id);
    assert.deepEqual(attempts.list(), []);
  });

  it('executes an id once, however often it is ordered', async () => {
    let calls = 0;
    const port = await app((_, response) => {
      calls += 1;
      response.end('ok');
    });
    const attemptId = start(port);
    start(port, { attemptId });
    await outcomeOf(attemptId);
    start(port, { attemptId });
    await outcomeOf(start(port));
    assert.equal(calls, 2);
  });

  it('puts a large answer on disk, whole, and removes it with the attempt', async () => {
    const bytes = Buffer.alloc(300_000, 'x');
    const port = await app((_, response) => response.end(bytes));
    const id = start(port);
    const outcome = await outcomeOf(id);
    assert.ok(outcome.kind === 'answered' && outcome.body === undefined && outcome.sizeBytes === bytes.length);
    const result = await attempts.readResult(id);
    assert.ok('path' in result && result.sizeBytes === bytes.length);
    await attempts.forget(id);
    assert.deepEqual(await readdir(folder), []);
  });

  it('streams a large input from where it was spooled', async () => {
    let received = 0;
    const port = await app((request, response) => {
      request.on('data', (chunk: Buffer) => (received += chunk.length));
      request.on('end', () => response.end());
    });
    const bytes = Buffer.alloc(2_000_000);
    await outcomeOf(start(port, { bodyBytes: bytes.length }, () => Readable.from([bytes])));
    assert.equal(received, bytes.length);
  });

  it('cuts the connection when the time is over, and the app sees it', async () => {
    const gone = Promise.withResolvers<void>();
    const port = await app((request) => request.socket.on('close', () => gone.resolve()));
    assert.equal(await failureOf(start(port, { timeoutMs: 30 })), 'timeout');
    await gone.promise;
  });

  it('uses connections again, but none that the app may have closed', async () => {
    let connections = 0;
    const server = createServer((_, response) => response.end('ok'));
    server.on('connection', () => (connections += 1));
    const port = await listen(server);
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
    for (let count = 0; count < 5; count += 1) {
      await outcomeOf(start(port));
      await pause();
    }
    assert.equal(connections, 1);
    // One that closes after each answer and says nothing about it.
    const silent = await listen(
      createTcpServer((socket) => {
        connections += 1;
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
      }),
    );
    connections = 0;
    for (let count = 0; count < 20; count += 1) {
      const outcome = await outcomeOf(start(silent));
      assert.ok(outcome.kind === 'answered' && outcome.status === 200);
      if (count % 4 === 0) await pause();
    }
    assert.equal(connections, 20);
  });

  it('opens new connections to an app that cut one in use', async () => {
    let connections = 0;
    const port = await listen(
      createTcpServer((socket) => {
        connections += 1;
        let requests = 0;
        socket.on('data', () => {
          requests += 1;
          if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
          else socket.destroy();
        });
      }),
    );
    const ends: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      ends.push(await failureOf(start(port)));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(ends, ['answered', 'disconnected', 'answered', 'answered']);
    assert.equal(connections, 3);
  });

  it('tells how an app fails to answer', async () => {
    const closed = await listen(createTcpServer());
    await new Promise((resolve) => servers.pop()!.close(resolve));
    assert.equal(await failureOf(start(closed)), 'refused');
    const hangsUp = await listen(createTcpServer((socket) => socket.once('data', () => socket.destroy())));
    assert.equal(await failureOf(start(hangsUp)), 'disconnected');
    const truncates = await listen(
      createTcpServer((socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
      ),
    );
    assert.equal(await failureOf(start(truncates)), 'bad-answer');
    const babbles = await listen(
      createTcpServer((socket) => socket.once('data', () => socket.end('not http at all\r\n\r\n'))),
    );
    assert.equal(await failureOf(start(babbles)), 'bad-answer');
    const boasts = await app((_, response) => response.writeHead(200, { long: 'x'.repeat(20_000) }).end());
    assert.equal(await failureOf(start(boasts)), 'bad-answer');
    assert.equal(await failureOf(start(boasts, { headers: ['bad name', 'x'] })), 'bad-request');
  });
});
