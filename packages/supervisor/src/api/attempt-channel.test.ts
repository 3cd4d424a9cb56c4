import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LannerError, type AttemptOrder, type AttemptReply } from '@lanner/protocol';
import type { Attempts } from '../attempts/attempts.ts';
import { silentLog } from '../lib/log.ts';
import { serveAttemptChannel } from './attempt-channel.ts';

describe('the channel for attempts, served', () => {
  let listener: Server;
  let server: Socket;
  let socket: Socket;
  let started: { runnerId: string; order: AttemptOrder; body: string }[];
  let forgotten: string[];

  beforeEach(async () => {
    listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const accepted = once(listener, 'connection');
    server = connect((listener.address() as AddressInfo).port, '127.0.0.1');
    [socket] = (await accepted) as [Socket];
    started = [];
    forgotten = [];
  });
  afterEach(async () => {
    server.destroy();
    socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const serve = (head = ''): void =>
    serveAttemptChannel(socket, Buffer.from(head), {
      attempts: {
        has: (attemptId: string) => started.some(({ order }) => order.attemptId === attemptId),
        start: ({ runnerId }: { runnerId: string }, order: AttemptOrder, body: Buffer) =>
          void started.push({ runnerId, order, body: body.toString() }),
        forget: async (attemptId: string) => void forgotten.push(attemptId),
      } as unknown as Attempts,
      runners: {
        reach: (runnerId: string) => {
          if (runnerId !== 'runner') throw new LannerError('runner_not_found', 'There is no such runner.');
          return { runnerId, host: '127.0.0.1' };
        },
      },
      log: silentLog,
    });
  const replies = async (count: number): Promise<AttemptReply[]> => {
    let text = '';
    while (text.split('\n').length < count + 5) text += String((await once(server, 'data'))[0]);
    assert.match(text, /^HTTP\/1\.1 101 /);
    return text
      .slice(text.indexOf('\r\n\r\n') + 4)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AttemptReply);
  };
  const message = (attemptId: string, runnerId = 'runner', more: object = {}): string => {
    const order = { attemptId, requestNumber: 1, attemptNumber: 1, port: 80, method: 'POST', path: '/', headers: [] };
    return `${JSON.stringify({ type: 'start', runnerId, order: { ...order, bodyBytes: 2, timeoutMs: 9, ...more }, body: 'e30=' })}\n`;
  };

  it('starts each attempt once, however its message is cut, also when it came with the upgrade', async () => {
    const text = message('a') + message('b') + message('a');
    serve(text.slice(0, 10));
    for (const character of text.slice(10)) server.write(character);
    assert.deepEqual(await replies(3), [{ attemptId: 'a' }, { attemptId: 'b' }, { attemptId: 'a' }]);
    assert.deepEqual(
      started.map(({ runnerId, order, body }) => [runnerId, order.attemptId, body]),
      [
        ['runner', 'a', '{}'],
        ['runner', 'b', '{}'],
      ],
    );
  });

  it('refuses orders that are none, of unknown runners, and bodies of another length, and goes on', async () => {
    serve();
    server.write(message('a', 'other') + message('../x') + message('c', 'runner', { bodyBytes: 3 }) + message('d'));
    const all = await replies(4);
    assert.deepEqual(
      all.map(({ code }) => code),
      ['runner_not_found', 'bad_request', 'bad_request', undefined],
    );
    assert.equal(started.length, 1);
  });

  it('forgets what it is told to', async () => {
    serve();
    server.write('{"type":"forget","attemptId":"a"}\n{"type":"forget","attemptId":7}\n{"type":"new"}\n' + message('b'));
    await replies(1);
    assert.deepEqual(forgotten, ['a']);
  });

  it('closes on what is no message', async () => {
    serve();
    const closed = once(socket, 'close');
    server.write('{"type":\n');
    await closed;
  });
});
