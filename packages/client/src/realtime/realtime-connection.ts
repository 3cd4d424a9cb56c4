import { ClientError, ConfigurationError, ConnectionError, ServerError } from '../errors/client-error.ts';
import { connectionFailure } from '../errors/connection-failure.ts';
import { closeError, encodeInput, readFrame, type Incoming } from './messages.ts';
import type { RealtimeConnection, RealtimeOptions, RealtimeState } from './realtime-types.ts';
import type { Socket, SocketListener, Sockets } from './socket.ts';

const mostWaiting = 1_000;
const defaultConnectTimeoutMs = 90_000;
/** How long a server may take to answer our goodbye. */
const goodbyeMs = 5_000;

/** One socket, from the wish to have it to its end. */
class Attempt {
  socket: Socket | undefined;
  hasOpened = false;
  /** An error was told already; its close needs no other. */
  hasFailed = false;
  readonly ended: Promise<void>;
  readonly #timer: ReturnType<typeof setTimeout>;
  #resolve: () => void = () => undefined;

  constructor(timeoutMs: number, onTimeout: () => void) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#timer = setTimeout(onTimeout, timeoutMs);
  }

  opened(): void {
    this.hasOpened = true;
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#resolve();
  }
}

/** Where a socket leads and what it is signed with; asked for before each one. */
export interface RealtimeTarget {
  url(): Promise<{ url: string; headers: Record<string, string> }>;
  /** What signed the last one was refused. */
  forgetToken(): void;
}

/**
 * One realtime connection over as many sockets as it takes.
 *
 * ```
 * idle ──send──> connecting ──> open
 *   ^                │            │     whatever ends the socket
 *   └────────────────┴────────────┘     close(): from everywhere to closed
 * ```
 */
export class RealtimeSession<Input, Output> implements RealtimeConnection<Input> {
  readonly #options: RealtimeOptions<Output>;
  readonly #target: RealtimeTarget;
  readonly #sockets: Sockets;
  readonly #onClosed: () => void;
  readonly #abort = (): void => void this.close();
  #state: RealtimeState = 'idle';
  #waiting: (Uint8Array | string)[] = [];
  /** The one whose events count. */
  #current: Attempt | undefined;
  #events: Promise<void> = Promise.resolve();
  #throttled: { input: Uint8Array | string | undefined; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(options: RealtimeOptions<Output>, target: RealtimeTarget, sockets: Sockets, onClosed: () => void) {
    this.#options = options;
    this.#target = target;
    this.#sockets = sockets;
    this.#onClosed = onClosed;
    if (options.signal?.aborted) this.#setState('closed');
    else options.signal?.addEventListener('abort', this.#abort);
  }

  get state(): RealtimeState {
    return this.#state;
  }

  send(input: Input): void {
    if (this.#state === 'closed') {
      throw new ConfigurationError('client_closed', 'This connection was closed.', { advice: 'Connect again.' });
    }
    const data = encodeInput(input, this.#options.encode);
    const intervalMs = this.#options.throttleIntervalMs ?? 0;
    if (intervalMs <= 0) return this.#submit(data);
    if (this.#throttled !== undefined) {
      this.#throttled.input = data;
      return;
    }
    this.#submit(data);
    this.#armThrottle(intervalMs);
  }

  async close(): Promise<void> {
    const current = this.#current;
    if (this.#state !== 'closed') {
      this.#setState('closed');
      this.#waiting = [];
      if (this.#throttled !== undefined) clearTimeout(this.#throttled.timer);
      this.#options.signal?.removeEventListener('abort', this.#abort);
      this.#onClosed();
      current?.socket?.close();
      if (current?.socket === undefined) current?.end();
    }
    if (current === undefined) return;
    const timer = setTimeout(() => current.end(), goodbyeMs);
    await current.ended;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #armThrottle(intervalMs: number): void {
    const timer = setTimeout(() => {
      const input = this.#throttled?.input;
      this.#throttled = undefined;
      if (input === undefined) return;
      this.#armThrottle(intervalMs);
      try {
        this.#submit(input);
      } catch (error) {
        this.#tell(error as ClientError);
      }
    }, intervalMs);
    this.#throttled = { input: undefined, timer };
  }

  #submit(data: Uint8Array | string): void {
    const socket = this.#state === 'open' ? this.#current?.socket : undefined;
    if (socket?.isOpen) return socket.send(data);
    const { maxBuffering } = this.#options;
    if (maxBuffering !== undefined) {
      while (this.#waiting.length >= maxBuffering) this.#waiting.shift();
    } else if (this.#waiting.length >= mostWaiting) {
      throw new ServerError('too_many_requests', `${mostWaiting} inputs wait for the connection already.`, {
        advice: 'Wait for results before sending more, or set maxBuffering to drop old inputs.',
      });
    }
    this.#waiting.push(data);
    if (this.#state === 'idle') void this.#connect();
  }

  async #connect(): Promise<void> {
    const timeoutMs = this.#options.connectTimeoutMs ?? defaultConnectTimeoutMs;
    const current = new Attempt(timeoutMs, () => {
      this.#end(current, new ConnectionError('timed_out', `No connection within ${timeoutMs} ms.`));
      current.socket?.close();
    });
    this.#current = current;
    this.#setState('connecting');
    const listener: SocketListener = {
      onOpen: () => {
        current.opened();
        if (this.#isStale(current)) return;
        this.#setState('open');
        for (const data of this.#waiting.splice(0)) current.socket!.send(data);
      },
      onMessage: (data) => this.#queue(() => this.#onMessage(current, data)),
      onClose: (code, reason, error) => this.#queue(() => this.#onClose(current, code, reason, error)),
    };
    try {
      const { url, headers } = await this.#target.url();
      if (this.#isStale(current)) return;
      const socket = await this.#sockets.open(url, headers, listener);
      current.socket = socket;
      if (this.#isStale(current)) socket.close();
    } catch (error) {
      this.#end(current, toClientError(error));
    }
  }

  /** One event after the other: a slow decoder must not let a later one overtake. What a callback throws is its program's. */
  #queue(handle: () => void | Promise<void>): void {
    this.#events = this.#events.then(handle).catch((error: unknown) =>
      queueMicrotask(() => {
        throw error;
      }),
    );
  }

  #isStale(current: Attempt): boolean {
    return this.#current !== current || this.#state === 'closed';
  }

  async #onMessage(current: Attempt, data: Uint8Array | string): Promise<void> {
    if (this.#isStale(current)) return;
    let incoming: Incoming;
    try {
      incoming = await readFrame(data, this.#options.decode);
    } catch (cause) {
      this.#tell(new ServerError('unexpected_answer', 'What the app sent cannot be decoded.', { cause }));
      return;
    }
    if (this.#isStale(current) || incoming.kind === 'nothing') return;
    if (incoming.kind === 'result') {
      this.#options.onResult?.(incoming.value as Output);
      return;
    }
    current.hasFailed = true;
    if (incoming.isTokenRefused) this.#target.forgetToken();
    this.#tell(incoming.error);
  }

  #onClose(current: Attempt, code: number, reason: string, cause: unknown): void {
    if (code === 1008) this.#target.forgetToken();
    const isSilent = cause === undefined && (code === 1000 || current.hasFailed);
    this.#end(current, isSilent ? null : cause === undefined ? closeError(code, reason) : toClientError(cause));
  }

  /** The socket is gone. What came in while it closed is sent over the next one; what one that never opened was for, is not. */
  #end(current: Attempt, error: ClientError | null): void {
    current.end();
    if (this.#isStale(current)) return;
    this.#current = undefined;
    if (!current.hasOpened) this.#waiting = [];
    this.#setState('idle');
    if (error !== null) this.#tell(error);
    if (this.#waiting.length > 0 && this.#state === 'idle') void this.#connect();
  }

  #tell(error: ClientError): void {
    this.#options.onError?.(error);
  }

  #setState(state: RealtimeState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onStateChange?.(state);
  }
}

function toClientError(error: unknown): ClientError {
  if (error instanceof ClientError) return error;
  return (
    connectionFailure(error, 'the server') ??
    new ConnectionError('connection_lost', 'The connection could not be made.', { cause: error })
  );
}
