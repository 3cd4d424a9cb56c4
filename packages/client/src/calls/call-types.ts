import type { CallOptions } from '../transport/call-options.ts';
import type { RequestStatus } from './request-state.ts';

/**
 * What every call of an app may say.
 *
 * @example
 * ```ts
 * const options: InvokeOptions<{ name: string }> = { input: { name: 'Ada' }, path: '/greet', timeoutMs: 60_000 };
 * ```
 */
export interface InvokeOptions<Input> extends CallOptions {
  /** Sent as JSON; left out, nothing is sent. Every Blob and File in it is uploaded, and its URL sent in its place. */
  input?: Input | undefined;
  /** Endpoint of the app, e.g. `/resize`. Default: the root, or what the id says. */
  path?: string | undefined;
  /** Runners that served this hint before are preferred. */
  hint?: string | undefined;
  /** Longest wait for a runner to begin, in seconds; more than 1. */
  startTimeout?: number | undefined;
  /** Further headers. */
  headers?: Record<string, string> | undefined;
}

/**
 * How to call an app.
 *
 * @example
 * ```ts
 * const options: RunOptions<{ limit: number }> = { method: 'GET', input: { limit: 10 } };
 * ```
 */
export interface RunOptions<Input> extends InvokeOptions<Input> {
  /** Default `POST`. With `GET` the input goes into the query string. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined;
}

/**
 * How to put a request into the queue.
 *
 * @example
 * ```ts
 * const options: SubmitOptions<{ name: string }> = {
 *   input: { name: 'Ada' },
 *   priority: 'low',
 *   webhookUrl: 'https://example.com/hook',
 * };
 * ```
 */
export interface SubmitOptions<Input> extends InvokeOptions<Input> {
  /** `low` requests run only when no normal one waits. */
  priority?: 'normal' | 'low' | undefined;
  /** Called with the result when it is there. */
  webhookUrl?: string | undefined;
}

/**
 * How to follow a request until its result is there.
 *
 * @example
 * ```ts
 * const options: SubscribeOptions<{ name: string }> = {
 *   input: { name: 'Ada' },
 *   onStatus: ({ status }) => console.log(status),
 * };
 * ```
 */
export interface SubscribeOptions<Input> extends SubmitOptions<Input> {
  /** Told of every status that was read. */
  onStatus?: ((status: RequestStatus) => void) | undefined;
  /** Ask for log lines with each status. Default `false`. */
  logs?: boolean | undefined;
  /** Default 500. */
  pollIntervalMs?: number | undefined;
}

/**
 * What to ask for beside the status.
 *
 * @example
 * ```ts
 * const options: StatusOptions = { logs: true };
 * ```
 */
export interface StatusOptions extends CallOptions {
  /** Ask for log lines. Default `false`. */
  logs?: boolean | undefined;
}

/**
 * What an app answered.
 *
 * @example
 * ```ts
 * const result: CallResult<{ n: number }> = await client.run<{ n: number }>('me/my-app');
 * console.log(result.data.n, result.requestId);
 * ```
 */
export interface CallResult<Output> {
  data: Output;
  /** Id of the request, empty when the server sent none. */
  requestId: string;
}

/**
 * A request in the queue. Its id is enough to find it again with `client.status` and `client.result`.
 *
 * @example
 * ```ts
 * const request: QueuedRequest<{ n: number }> = await client.submit<{ n: number }>('me/my-app');
 * while ((await request.status()).status !== 'COMPLETED');
 * console.log((await request.result()).data.n);
 * ```
 */
export interface QueuedRequest<Output> {
  requestId: string;
  /**
   * Where it stands.
   *
   * @example
   * ```ts
   * const request = await client.submit('me/my-app');
   * console.log((await request.status({ logs: true })).status);
   * ```
   */
  status(options?: StatusOptions): Promise<RequestStatus>;
  /**
   * The result of a completed request; throws while it is not complete, and what the app threw.
   *
   * @example
   * ```ts
   * const request = await client.submit<{ n: number }>('me/my-app');
   * console.log((await request.result()).data.n);
   * ```
   */
  result(options?: CallOptions): Promise<CallResult<Output>>;
  /**
   * Cancels it.
   *
   * @example
   * ```ts
   * const request = await client.submit('me/my-app');
   * await request.cancel();
   * ```
   */
  cancel(options?: CallOptions): Promise<void>;
}
