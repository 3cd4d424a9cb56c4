import type { Duplex } from 'node:stream';
import {
  attemptChannel,
  LannerError,
  toLannerError,
  type AttemptMessage,
  type AttemptReply,
  type ErrorCode,
} from '@lanner/protocol';
import type { Attempts } from '../attempts/attempts.ts';
import type { Log } from '../lib/log.ts';
import type { Runners } from '../runners/runners.ts';
import { attemptOrderSchema, idSchema } from './schemas.ts';

/** An order with its headers and a small body; nothing else comes near. */
const maxLineBytes = 4 * 1024 * 1024;

/**
 * Serves the channel for small attempts on an upgraded connection, until either side closes it. What was started goes on then.
 * @param head bytes that came right behind the request for the upgrade.
 */
export function serveAttemptChannel(
  socket: Duplex,
  head: Buffer,
  deps: { attempts: Attempts; runners: Pick<Runners, 'reach'>; log: Log },
): void {
  let partial: Buffer[] = [];
  let partialBytes = 0;

  const obey = (line: Buffer): void => {
    const message = JSON.parse(line.toString('utf8')) as AttemptMessage;
    if (message.type === 'start') {
      const reply: AttemptReply = { attemptId: String(message.order?.attemptId), ...start(message, deps) };
      socket.write(`${JSON.stringify(reply)}\n`);
    } else if (message.type === 'forget' && idSchema.safeParse(message.attemptId).success) {
      deps.attempts.forget(message.attemptId).catch((error: unknown) => {
        deps.log.warn({ error, attemptId: message.attemptId }, 'the answer of an attempt was not removed');
      });
    }
  };
  const take = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, end);
      obey(partial.length === 0 ? piece : Buffer.concat([...partial, piece]));
      partial = [];
      partialBytes = 0;
      from = end + 1;
    }
    if (from === chunk.length) return;
    partial.push(chunk.subarray(from));
    partialBytes += chunk.length - from;
    if (partialBytes > maxLineBytes)
      throw new RangeError(`a message of the channel is longer than ${maxLineBytes} bytes`);
  };
  const onData = (chunk: Buffer): void => {
    socket.cork();
    try {
      take(chunk);
    } catch (error) {
      deps.log.warn({ error }, 'the channel for attempts was sent something else; it is closed');
      socket.destroy();
    }
    socket.uncork();
  };

  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${attemptChannel.protocol}\r\n\r\n`,
  );
  socket.on('data', onData);
  if (head.length > 0) onData(head);
}

/** @returns nothing, or why it was not started. */
function start(
  message: Extract<AttemptMessage, { type: 'start' }>,
  { attempts, runners, log }: { attempts: Attempts; runners: Pick<Runners, 'reach'>; log: Log },
): { code?: ErrorCode; message?: string } {
  try {
    const parsed = attemptOrderSchema.safeParse(message.order);
    const body = Buffer.from(String(message.body), 'base64');
    if (!parsed.success || body.length !== parsed.data.bodyBytes) {
      throw new LannerError('bad_request', 'The order of an attempt or its body is not in its form.');
    }
    if (!attempts.has(parsed.data.attemptId))
      attempts.start(runners.reach(String(message.runnerId)), parsed.data, body);
    return {};
  } catch (error) {
    const failure = toLannerError(error);
    if (failure.code === 'internal_error') log.error({ error }, 'an attempt could not be started');
    return { code: failure.code, message: failure.message };
  }
}
