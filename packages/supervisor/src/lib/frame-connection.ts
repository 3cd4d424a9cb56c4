import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { LannerError } from '@lanner/protocol';
import { encodeFrameHead, FrameParser, type FrameHandler, type FrameHeader } from './frames.ts';

/** One bridge connection: frames in both directions over a Unix socket. */
export interface FrameConnection {
  /** Queues a frame without payload, behind a payload being sent. Silently dropped when the connection has ended. */
  send(header: FrameHeader): void;
  /**
   * Sends a frame with a payload taken from `parts` in order, with back-pressure.
   * @throws LannerError `internal_error` when the parts do not add up to `payloadBytes`; the connection is then closed.
   */
  sendPayload(header: FrameHeader, payloadBytes: number, parts: AsyncIterable<Buffer>): Promise<void>;
  /** Stops reading: the peer's writes block once the socket buffers are full. */
  pause(): void;
  resume(): void;
  close(): void;
  /** Resolves once, with the error that broke the connection or undefined. */
  readonly ended: Promise<Error | undefined>;
}

/** Reads frames from `stream` into `handler` until it ends. The handler is first called on a later tick. */
export function connectFrames(stream: Duplex, handler: FrameHandler): FrameConnection {
  const parser = new FrameParser(handler);
  let failure: Error | undefined;
  let isPausedByOwner = false;
  let isPausedBySink = false;
  let isSendingPayload = false;
  /** Frames that must not land in the middle of a payload. */
  const waiting: FrameHeader[] = [];

  const fail = (error: Error): void => {
    failure ??= error;
    stream.destroy();
  };
  const resumeIfFree = (): void => {
    if (!isPausedByOwner && !isPausedBySink) stream.resume();
  };

  stream.on('data', (chunk: Buffer) => {
    try {
      const full = parser.push(chunk);
      if (full === undefined) return;
      isPausedBySink = true;
      stream.pause();
      full.whenDrained().then(() => {
        isPausedBySink = false;
        resumeIfFree();
      }, fail);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
  stream.on('error', (error) => {
    failure ??= error;
  });
  const ended = new Promise<Error | undefined>((resolve) => {
    stream.once('end', () => stream.destroy());
    stream.once('close', () => {
      if (failure === undefined && !parser.isBetweenFrames) {
        failure = new LannerError('bad_request', 'The bridge connection ended in the middle of a frame.');
      }
      resolve(failure);
    });
  });

  return {
    send(header) {
      if (isSendingPayload) waiting.push(header);
      else if (stream.writable) stream.write(encodeFrameHead(header));
    },
    async sendPayload(header, payloadBytes, parts) {
      const head = encodeFrameHead(header, payloadBytes);
      let left = payloadBytes;
      const write = async (bytes: Buffer): Promise<void> => {
        if (!stream.writable) throw new LannerError('internal_error', 'The bridge connection ended while sending.');
        if (!stream.write(bytes)) await Promise.race([once(stream, 'drain'), ended]);
      };
      isSendingPayload = true;
      try {
        await write(head);
        for await (const part of parts) {
          left -= part.length;
          if (left < 0) break;
          await write(part);
        }
        if (left !== 0) {
          throw new LannerError('internal_error', `The payload of '${header.type}' changed its size while being sent.`);
        }
      } catch (error) {
        fail(error as Error); // half a payload cannot be taken back
        throw error;
      } finally {
        isSendingPayload = false;
      }
      for (const next of waiting.splice(0)) this.send(next);
    },
    pause() {
      isPausedByOwner = true;
      stream.pause();
    },
    resume() {
      isPausedByOwner = false;
      resumeIfFree();
    },
    close() {
      stream.destroy();
    },
    ended,
  };
}
