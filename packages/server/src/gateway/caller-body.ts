import { Readable } from 'node:stream';
import { LannerError } from '@lanner/protocol';
import type { AnyRequest } from '../ports/route.ts';
import { isHttp2Request } from './caller.ts';

/** What is known of a request's body before any of it was read. */
export type BodyKind = { kind: 'none' } | { kind: 'sized'; sizeBytes: number } | { kind: 'open' };

const noBody: BodyKind = { kind: 'none' };

/** Tells from the framing whether a body follows and how long it will be. */
export function readBodyKind(request: AnyRequest): BodyKind {
  const length = request.headers['content-length'];
  if (length !== undefined) {
    const sizeBytes = Number(length);
    return sizeBytes === 0 ? noBody : { kind: 'sized', sizeBytes };
  }
  if (isHttp2Request(request)) return request.stream.endAfterHeaders ? noBody : { kind: 'open' };
  return request.headers['transfer-encoding'] === undefined ? noBody : { kind: 'open' };
}

/** A small body as one buffer. Rejects with `client_disconnected` when the caller goes away in the middle of it. */
export function readSmallBody(request: AnyRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer | Buffer[] | null = null;
    let isComplete = false;
    const onGone = (): void => {
      if (!isComplete) reject(callerGone());
    };
    request.on('data', (chunk: Buffer) => {
      if (chunks === null) chunks = chunk;
      else if (Array.isArray(chunks)) chunks.push(chunk);
      else chunks = [chunks, chunk];
    });
    request.on('end', () => {
      isComplete = true;
      resolve(Array.isArray(chunks) ? Buffer.concat(chunks) : (chunks ?? Buffer.alloc(0)));
    });
    request.on('error', onGone);
    request.on('close', onGone);
  });
}

function callerGone(): LannerError {
  return new LannerError('client_disconnected', 'The caller went away in the middle of its request.');
}

export interface CallerBodyOptions {
  maxBytes: number;
  /** Called, instead of passing it on, for what exceeds `maxBytes`. */
  onTooLarge: () => void;
  /** Told the length of every chunk. */
  onStreamed: (bytes: number) => void;
}

/**
 * A large body on its way to a runner: passes back-pressure on, counts, and stops at `maxBytes`. Being destroyed leaves the
 * caller's connection alone.
 */
export class CallerBody extends Readable {
  bytesRead = 0;
  readonly #request: AnyRequest;
  readonly #options: CallerBodyOptions;

  constructor(request: AnyRequest, options: CallerBodyOptions) {
    super();
    // Whoever reads it hears of errors; a body that nobody reads any more must not end the process.
    this.on('error', () => {});
    this.#request = request;
    this.#options = options;
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
    request.on('error', this.#onBroken);
    request.on('aborted', this.#onBroken);
    request.pause();
  }

  override _read(): void {
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#request.off('data', this.#onData);
    this.#request.off('end', this.#onEnd);
    this.#request.pause();
    callback(error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.bytesRead += chunk.length;
    if (this.bytesRead > this.#options.maxBytes) {
      this.#options.onTooLarge();
      return;
    }
    this.#options.onStreamed(chunk.length);
    if (!this.push(chunk)) this.#request.pause();
  };

  readonly #onEnd = (): void => void this.push(null);

  readonly #onBroken = (): void => void this.destroy(callerGone());
}
