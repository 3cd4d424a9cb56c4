import type { ClientError } from '../errors/client-error.ts';

/**
 * `idle`: no socket; the next input opens one. `connecting`: inputs wait. `open`: they are sent. `closed`: by `close()`, the
 * signal, or the client; for good.
 *
 * @example
 * ```ts
 * const states: RealtimeState[] = ['idle', 'connecting', 'open', 'closed'];
 * ```
 */
export type RealtimeState = 'idle' | 'connecting' | 'open' | 'closed';

/**
 * How to speak with a realtime endpoint.
 *
 * @example
 * ```ts
 * const options: RealtimeOptions<{ sum: number }> = {
 *   onResult: ({ sum }) => console.log(sum),
 *   onError: ({ code, message }) => console.log(code, message),
 * };
 * ```
 */
export interface RealtimeOptions<Output> {
  /** Told of every result, in the order in which the app sent them. */
  onResult?: ((result: Output) => void) | undefined;
  /**
   * Told of what went wrong: the app raised (`app_error`), the connection broke, a token was refused. The connection is idle or
   * open afterwards, and the next input opens it again. Inputs that were on their way are not repeated: they may have been
   * worked on. An app that ends a quiet session is no error.
   */
  onError?: ((error: ClientError) => void) | undefined;
  onStateChange?: ((state: RealtimeState) => void) | undefined;
  /** Endpoint of the app. Default `/realtime`, unless the id ends with it. */
  path?: string | undefined;
  /** Makes a frame of an input: bytes are sent as binary, a string as text. Default: msgpack, which apps expect. */
  encode?: ((input: unknown) => Uint8Array | string) | undefined;
  /** Makes a result of what the app sent. Default: msgpack for binary, JSON for text. */
  decode?: ((data: Uint8Array | string) => Output | Promise<Output>) | undefined;
  /**
   * While inputs come faster than they can be sent, keep this many and drop older ones, 1 to 60; the app is told too. Default:
   * nothing is dropped, and `send` throws `too_many_requests` when 1,000 wait.
   */
  maxBuffering?: number | undefined;
  /** Send at most one input per this many milliseconds, the latest. Default 0: all of them. */
  throttleIntervalMs?: number | undefined;
  /** Longest wait for the connection, a cold start included. Default 90,000. */
  connectTimeoutMs?: number | undefined;
  /**
   * Gives a short-lived token instead of this client's key, e.g. from a server of yours. Called with the endpoint,
   * `owner/app/realtime`, whenever one is needed.
   */
  tokenProvider?: ((endpoint: string) => string | Promise<string>) | undefined;
  /** Lifetime of what `tokenProvider` gives, in seconds; it is used again until a tenth of it is left. Default: used once. */
  tokenExpiration?: number | undefined;
  /** Closes the connection. */
  signal?: AbortSignal | undefined;
}

/**
 * A connection to a realtime endpoint that comes and goes as needed. Use it with `await using`, or call `close`.
 *
 * @example
 * ```ts
 * await using connection: RealtimeConnection<{ a: number }> = client.realtime.connect<{ a: number }>('me/my-app', {});
 * connection.send({ a: 1 });
 * ```
 */
export interface RealtimeConnection<Input> extends AsyncDisposable {
  readonly state: RealtimeState;
  /**
   * Sends an input, now or as soon as the connection is there. Never waits.
   * @throws ClientError `invalid_argument` when it cannot be encoded, `too_many_requests` when too many wait, `client_closed`
   *
   * @example
   * ```ts
   * const connection = client.realtime.connect<{ a: number }>('me/my-app', {});
   * connection.send({ a: 1 });
   * ```
   */
  send(input: Input): void;
  /**
   * Ends the connection; results still on their way are dropped. Resolves when the socket is closed. Idempotent.
   *
   * @example
   * ```ts
   * const connection = client.realtime.connect('me/my-app', {});
   * await connection.close();
   * ```
   */
  close(): Promise<void>;
}
