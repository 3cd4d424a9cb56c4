import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

export interface BodyWriterOptions {
  /** Announced length; null: it goes in chunks. */
  announcedBytes: number | null;
  /** All of it is written. */
  onWritten(): void;
  /** It broke off, or has another length than announced: the request can never be whole. */
  onBroken(cause: unknown): void;
}

/** Writes a streamed body to a runner, no faster than it is taken (RFC 9112 6.2, 7.1). */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #body: Readable;
  readonly #options: BodyWriterOptions;
  #writtenBytes = 0;
  #isOver = false;

  constructor(socket: Socket, body: Readable, options: BodyWriterOptions) {
    this.#socket = socket;
    this.#body = body;
    this.#options = options;
    body.on('end', this.#onEnd);
    body.on('error', this.#onBroken);
    body.on('close', this.#onClose);
    // Before there is a connection, nothing is taken from the caller.
    if (socket.connecting) socket.once('connect', this.#start);
    else this.#start();
  }

  /** Lets go of body and socket. Idempotent. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#body.off('data', this.#onData);
    this.#body.off('end', this.#onEnd);
    this.#body.off('close', this.#onClose);
    // The listener for errors stays: an error that nobody waits for must not end the process.
    this.#body.pause();
    this.#socket.off('drain', this.#onDrain);
    this.#socket.off('connect', this.#start);
  }

  readonly #start = (): void => {
    this.#socket.on('drain', this.#onDrain);
    this.#body.on('data', this.#onData);
  };

  readonly #onData = (chunk: Buffer): void => {
    if (chunk.length === 0) return;
    this.#writtenBytes += chunk.length;
    const { announcedBytes } = this.#options;
    if (announcedBytes !== null && this.#writtenBytes > announcedBytes) return this.#breakOff('longer');
    if (!this.#write(chunk)) this.#body.pause();
  };

  #write(chunk: Buffer): boolean {
    const socket = this.#socket;
    if (this.#options.announcedBytes !== null) return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const isRoomLeft = socket.write('\r\n', 'latin1');
    socket.uncork();
    return isRoomLeft;
  }

  readonly #onEnd = (): void => {
    const { announcedBytes, onWritten } = this.#options;
    if (announcedBytes === null) this.#socket.write('0\r\n\r\n', 'latin1');
    else if (this.#writtenBytes < announcedBytes) return this.#breakOff('shorter');
    this.stop();
    onWritten();
  };

  #breakOff(how: string): void {
    this.#onBroken(new Error(`the body is ${how} than its announced ${this.#options.announcedBytes} bytes`));
  }

  readonly #onBroken = (cause: unknown): void => {
    if (this.#isOver) return;
    this.stop();
    this.#options.onBroken(cause);
  };

  readonly #onClose = (): void => this.#onBroken(new Error('the body broke off'));

  readonly #onDrain = (): void => void this.#body.resume();
}
