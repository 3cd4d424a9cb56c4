import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '@lanner/protocol';
import { AnswerParser, BadAnswer, type AnswerSink } from './answer-parser.ts';
import { readIdleMs } from './answer-framing.ts';
import { BodyWriter } from './body-writer.ts';
import type { RequestHead } from './request-head.ts';
import type {
  RunnerAddress,
  UpstreamFailureKind,
  UpstreamHeaders,
  UpstreamReceiver,
  UpstreamRequest,
} from './upstream-transport.ts';

export interface RunnerConnectionOptions {
  clock: Clock;
  connectTimeoutMs: number;
  /** How long it is kept with nothing to carry; less if the app says so. */
  idleConnectionMs: number;
  maxResponseHeaderBytes: number;
  /** The exchange is over and the connection can carry another. */
  onFree(connection: RunnerConnection): void;
  /** The connection is gone. */
  onClosed(connection: RunnerConnection): void;
}

/**
 * Every connection reads into this one: what came is taken out of it before the next read, of whatever connection. A buffer per
 * read costs more than everything else that reading does.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

/** One kept connection to a runner; carries one exchange at a time. */
export class RunnerConnection implements AnswerSink {
  /** Monotonic; from when on it is not to be used any more, unless something is sent before. */
  staleAtMs = 0;
  readonly #options: RunnerConnectionOptions;
  readonly #parser: AnswerParser;
  readonly #socket: Socket;
  #connectTimer: Timer | null;
  #receiver: UpstreamReceiver | null = null;
  #bodyWriter: BodyWriter | null = null;
  #idleMs: number;
  #isKept = true;
  #isPaused = false;
  #isClosed = false;

  constructor({ host, port }: RunnerAddress, options: RunnerConnectionOptions) {
    this.#options = options;
    this.#idleMs = options.idleConnectionMs;
    this.#parser = new AnswerParser(options.maxResponseHeaderBytes);
    this.#socket = connect({
      ...{ host, port, noDelay: true },
      onread: { buffer: readBuffer, callback: (bytes) => this.#onRead(bytes) },
    });
    this.#socket.on('connect', () => this.#clearConnectTimer());
    this.#socket.on('end', () => this.#onEnded());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#fail(this.#toKind(error), error));
    this.#socket.on('close', () => this.#onSocketClosed());
    this.#connectTimer = options.clock.setTimer(options.connectTimeoutMs, () =>
      this.#fail('connect-timeout', new Error(`no connection within ${options.connectTimeoutMs} ms`)),
    );
  }

  /** Sends a request. Only on a connection that is new or free. */
  send(request: UpstreamRequest, head: RequestHead, receiver: UpstreamReceiver): void {
    const { method, body } = request;
    this.#receiver = receiver;
    this.#parser.expect(method, this);
    // Some servers send a body after all, which nothing tells from the next answer.
    if (method === 'HEAD') this.#isKept = false;
    if (body === null) this.#socket.write(head.text, 'latin1');
    else if (Buffer.isBuffer(body)) this.#socket.write(joinHeadAndBody(head.text, body));
    else {
      this.#socket.write(head.text, 'latin1');
      this.#bodyWriter = new BodyWriter(this.#socket, body, {
        announcedBytes: head.streamedBytes,
        onWritten: () => (this.#bodyWriter = null),
        onBroken: (cause) => this.#fail('bad-request', cause),
      });
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** The exchange under way may end; it is the last one. */
  retire(): void {
    this.#isKept = false;
    if (this.#receiver === null) this.close();
  }

  /** Ends the connection and tells nobody but its owner. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#receiver = null;
    this.#parser.stop();
    this.#clearConnectTimer();
    this.#stopBody();
    this.#socket.destroy();
    this.#options.onClosed(this);
  }

  /** Ends the connection; an exchange under way fails. */
  abandon(cause: unknown): void {
    this.#fail('disconnected', cause);
  }

  onHead(status: number, reason: string, headers: UpstreamHeaders): void {
    // After an endpoint raised, uvicorn answers 500, says nothing about the connection, and closes it: the close would
    // cross with the next request on it, which nobody could tell from a crash of the app.
    if (status >= 500) this.#isKept = false;
    if (headers['keep-alive'] !== undefined)
      this.#idleMs = Math.min(this.#options.idleConnectionMs, readIdleMs(headers['keep-alive']));
    this.#receiver!.onHead(status, reason, headers);
  }

  onData(chunk: Buffer): void {
    this.#receiver!.onData(chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    const receiver = this.#receiver!;
    this.#receiver = null;
    receiver.onEnd(trailers);
  }

  #onRead(byteCount: number): boolean {
    try {
      this.#parser.write(readBuffer.subarray(0, byteCount));
    } catch (error) {
      if (!(error instanceof BadAnswer)) throw error;
      this.#fail('bad-answer', error);
      return true;
    }
    if (this.#receiver === null && !this.#isClosed) this.#onAnswered();
    return true;
  }

  /** An answer was read to its end, and nothing came behind it. */
  #onAnswered(): void {
    // The app answered before it had the whole request: the rest would be taken for another one.
    if (this.#bodyWriter !== null || !this.#isKept || !this.#parser.keepsConnection) return this.close();
    this.staleAtMs = this.#options.clock.monotonicMs() + this.#idleMs;
    // So that the end of the connection is noticed.
    this.resume();
    this.#options.onFree(this);
  }

  #onEnded(): void {
    if (this.#parser.end()) this.close();
    else this.#fail('disconnected', new Error('the runner closed the connection'));
  }

  #onSocketClosed(): void {
    this.#fail('disconnected', new Error('the connection was closed'));
  }

  #fail(kind: UpstreamFailureKind, cause: unknown): void {
    const receiver = this.#receiver;
    this.close();
    receiver?.onFailure({ kind, cause });
  }

  #toKind(error: NodeJS.ErrnoException): UpstreamFailureKind {
    if (this.#connectTimer === null) return 'disconnected';
    if (error.code === 'ECONNREFUSED') return 'refused';
    return error.code === 'ETIMEDOUT' ? 'connect-timeout' : 'connect-error';
  }

  #clearConnectTimer(): void {
    this.#connectTimer?.cancel();
    this.#connectTimer = null;
  }

  #stopBody(): void {
    this.#bodyWriter?.stop();
    this.#bodyWriter = null;
  }
}

/** In one piece: one system call, and one segment for a small request. */
function joinHeadAndBody(head: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 0, 'latin1');
  body.copy(bytes, head.length);
  return bytes;
}
