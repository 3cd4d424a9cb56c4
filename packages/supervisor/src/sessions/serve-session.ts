import type { Duplex, Readable } from 'node:stream';
import {
  encodeSessionFrame,
  LannerError,
  SessionFrameParser,
  sessionProtocol,
  toLannerError,
  type SessionFrame,
  type SessionFrameKind,
  type SessionOrder,
} from '@lanner/protocol';
import * as z from 'zod/mini';
import type { Log } from '../lib/log.ts';
import { runSession, type Session } from './run-session.ts';
import type { SessionPlace } from './session-place.ts';

const size = z.object({
  rows: z.int().check(z.gte(1), z.lte(10_000)),
  columns: z.int().check(z.gte(1), z.lte(10_000)),
});
const order = z.object({
  command: z.array(z.string().check(z.maxLength(128 * 1024))).check(z.maxLength(10_000)),
  tty: z.boolean(),
  size: z.optional(size),
}) as z.ZodMiniType<SessionOrder>;

/**
 * Serves one command in a runner on an upgraded connection (session-frames.ts): the first frame says what is run, the last
 * one how it ended. A connection that breaks ends the command.
 * @param findPlace throws LannerError `runner_not_found`.
 */
export function serveSession(
  socket: Duplex,
  head: Buffer,
  deps: { findPlace: () => Promise<SessionPlace>; log: Log },
): void {
  const parser = new SessionFrameParser();
  let session: Session | null = null;
  const early: SessionFrame[] = [];
  let isOpened = false;

  const send = (kind: SessionFrameKind, payload: Uint8Array | object): boolean =>
    socket.writable && socket.write(encodeSessionFrame(kind, payload));
  const finish = (kind: 'exit' | 'refusal', payload: object): void => {
    send(kind, payload);
    socket.end();
  };
  const refuse = (error: unknown): void => {
    const { code, message } = toLannerError(error);
    if (code === 'internal_error') deps.log.error({ error }, 'a session failed');
    finish('refusal', { code, message });
  };

  const open = async (payload: Buffer): Promise<void> => {
    const parsed = order.safeParse(JSON.parse(payload.toString()));
    if (!parsed.success) throw new LannerError('bad_request', 'The order of a session is not in its form.');
    const place = await deps.findPlace();
    if (socket.destroyed) return;
    session = runSession(place, parsed.data);
    for (const frame of early.splice(0)) obey(frame);
    socket.resume();
    relay(session.stdout, 'stdout');
    relay(session.stderr, 'stderr');
    finish('exit', { code: await session.ended });
  };
  const relay = (source: Readable, kind: 'stdout' | 'stderr'): void => {
    source.on('data', (chunk: Buffer) => {
      if (send(kind, chunk)) return;
      source.pause();
      socket.once('drain', () => source.resume());
    });
  };

  const obey = ({ kind, payload }: SessionFrame): void => {
    if (kind === 'open' && !isOpened) {
      isOpened = true;
      // What is typed ahead waits in the connection, and what came in the same piece here.
      socket.pause();
      open(payload).catch(refuse);
    } else if (session === null) early.push({ kind, payload });
    else if (kind === 'input') {
      if (session.input.write(payload)) return;
      socket.pause();
      session.input.once('drain', () => socket.resume());
    } else if (kind === 'endOfInput') session.input.end();
    else if (kind === 'resize') {
      const parsed = size.safeParse(JSON.parse(payload.toString()));
      if (parsed.success) session.resize(parsed.data);
    }
  };
  const onData = (chunk: Buffer): void => {
    try {
      for (const frame of parser.feed(chunk)) obey(frame);
    } catch (error) {
      deps.log.warn({ error }, 'a session was sent something else; it is ended');
      socket.destroy();
    }
  };

  socket.on('error', () => {});
  // The end of input is a frame; a connection whose other end is gone has no more to say.
  socket.on('end', () => socket.destroy());
  socket.on('close', () => session?.kill());
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${sessionProtocol}\r\n\r\n`);
  socket.on('data', onData);
  if (head.length > 0) onData(head);
}
