import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AttemptMessage, AttemptOrder } from '@lanner/protocol';
import { AttemptChannel } from './attempt-channel.ts';

const accepted = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n';

describe('the channel for attempts', () => {
  let folder: string;
  let server: Server;
  let channel: AttemptChannel;
  let sockets: Socket[];
  let messages: AttemptMessage[];
  /** What the supervisor does with a message; it has accepted the channel. */
  let onMessage: (message: AttemptMessage, socket: Socket) => void;
  let greeting: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-channel-'));
    sockets = [];
    messages = [];
    greeting = accepted;
    onMessage = () => {};
    server = createServer((socket) => {
      sockets.push(socket);
      let text = '';
      socket.setEncoding('utf8').on('error', () => {});
      socket.on('data', (piece: string) => {
        const isFirst = text === '';
        text += piece;
        if (isFirst) {
          socket.write(greeting);
          text = text.slice(text.indexOf('\r\n\r\n') + 4) || ' ';
        }
        const lines = text.split('\n');
        text = lines.pop()! || ' ';
        for (const line of lines) {
          const message = JSON.parse(line) as AttemptMessage;
          messages.push(message);
          onMessage(message, socket);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 's.sock'), resolve));
    channel = new AttemptChannel(join(folder, 's.sock'));
  });
  afterEach(async () => {
    channel.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  const order = (attemptId: string): AttemptOrder => ({
    ...{ attemptId, requestNumber: 1, attemptNumber: 1, port: 1, method: 'POST', path: '/' },
    ...{ headers: [], bodyBytes: 2, timeoutMs: 1000 },
  });
  const start = (attemptId: string): Promise<void> => channel.start('runner', order(attemptId), Buffer.from('{}'));
  const reply = (socket: Socket, value: object): void => void socket.write(`${JSON.stringify(value)}\n`);

  it('sends orders on one connection and takes the answers in any order', async () => {
    const starts: string[] = [];
    onMessage = (message, socket) => {
      assert.ok(message.type === 'start' && message.runnerId === 'runner' && message.body === 'e30=');
      starts.unshift(message.order.attemptId);
      if (starts.length < 3) return;
      reply(socket, { attemptId: starts[0], code: 'runner_not_found', message: 'It is gone.' });
      reply(socket, { attemptId: starts[1] });
      reply(socket, { attemptId: starts[2], code: 'never heard of' });
    };
    const [unknown, second, third] = await Promise.allSettled(['a', 'b', 'c'].map(start));
    assert.equal((unknown as PromiseRejectedResult).reason.code, 'internal_error');
    assert.equal(second!.status, 'fulfilled');
    assert.equal((third as PromiseRejectedResult).reason.code, 'runner_not_found');
    assert.equal((third as PromiseRejectedResult).reason.message, 'It is gone.');
    assert.equal(sockets.length, 1);
  });

  it('tells that the supervisor cannot be reached when the connection breaks, and opens another', async () => {
    onMessage = (_message, socket) => socket.destroy();
    const outcomes = await Promise.allSettled(['a', 'b'].map(start));
    for (const outcome of outcomes)
      assert.equal((outcome as PromiseRejectedResult).reason.code, 'supervisor_unavailable');
    onMessage = (message, socket) => message.type === 'start' && reply(socket, { attemptId: message.order.attemptId });
    await start('a');
    assert.equal(sockets.length, 2);
  });

  it('tells so when nobody listens, when it is refused, and after its end', async () => {
    const nobody = new AttemptChannel(join(folder, 'nobody.sock'));
    await assert.rejects(nobody.start('runner', order('a'), Buffer.from('{}')), { code: 'supervisor_unavailable' });
    nobody.close();
    greeting = 'HTTP/1.1 404 Not Found\r\n\r\n';
    await assert.rejects(start('a'), { code: 'supervisor_unavailable' });
    const last = start('b');
    channel.close();
    await assert.rejects(last, { code: 'supervisor_unavailable' });
    await assert.rejects(start('c'), { code: 'supervisor_unavailable' });
    channel.forget('d');
  });

  it('gives up on what is no supervisor', async () => {
    onMessage = (_message, socket) => void socket.write('{"attemptId":\n');
    await assert.rejects(start('a'), { code: 'supervisor_unavailable' });
    onMessage = (_message, socket) => void socket.write('x'.repeat(2_000_000));
    await assert.rejects(start('b'), { code: 'supervisor_unavailable' });
  });

  it('passes on what is to be forgotten', async () => {
    onMessage = (message, socket) => message.type === 'start' && reply(socket, { attemptId: message.order.attemptId });
    channel.forget('x');
    await start('a');
    assert.deepEqual(
      messages.map(({ type }) => type),
      ['forget', 'start'],
    );
  });
});
