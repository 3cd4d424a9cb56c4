import type { CallOptions } from '../transport/call-options.ts';
import type { AppCalls } from './app-calls.ts';
import type {
  CallResult,
  InvokeOptions,
  QueuedRequest,
  RunOptions,
  StatusOptions,
  SubmitOptions,
  SubscribeOptions,
} from './call-types.ts';
import type { RequestStatus } from './request-state.ts';

/**
 * What every client can do with apps, wherever it runs.
 *
 * @example
 * ```ts
 * async function greet(client: CallingClient): Promise<string> {
 *   return (await client.run<{ message: string }>('me/my-app', { input: { name: 'Ada' } })).data.message;
 * }
 * ```
 */
export abstract class CallingClient {
  readonly #calls: AppCalls;

  constructor(calls: AppCalls) {
    this.#calls = calls;
  }

  /**
   * Calls an app and waits for its answer. Never repeated.
   *
   * @example
   * ```ts
   * const { data } = await client.run<{ message: string }>('me/my-app', { input: { name: 'Ada' } });
   * console.log(data.message);
   * ```
   */
  run<Output = unknown, Input = unknown>(appId: string, options: RunOptions<Input> = {}): Promise<CallResult<Output>> {
    return this.#calls.run<Output, Input>(appId, options);
  }

  /**
   * Calls a streaming endpoint (default `/stream`) and yields its events as they come.
   *
   * @example
   * ```ts
   * for await (const event of client.stream<{ n: number }>('me/my-app', { path: '/count', input: {} })) {
   *   console.log(event.n);
   * }
   * ```
   */
  stream<Event = unknown, Input = unknown>(
    appId: string,
    options: InvokeOptions<Input> = {},
  ): AsyncGenerator<Event, void, undefined> {
    return this.#calls.stream<Event, Input>(appId, options);
  }

  /**
   * Puts a request into the queue.
   *
   * @example
   * ```ts
   * const request = await client.submit<{ message: string }>('me/my-app', { input: { name: 'Ada' } });
   * console.log(request.requestId, (await request.status()).status);
   * ```
   */
  submit<Output = unknown, Input = unknown>(
    appId: string,
    options: SubmitOptions<Input> = {},
  ): Promise<QueuedRequest<Output>> {
    return this.#calls.submit<Output, Input>(appId, options);
  }

  /**
   * Puts a request into the queue and waits for its result. A signal or timeout cancels the request.
   *
   * @example
   * ```ts
   * const { data } = await client.subscribe<{ message: string }>('me/my-app', {
   *   input: { name: 'Ada' },
   *   logs: true,
   *   onStatus: ({ status }) => console.log(status),
   * });
   * console.log(data.message);
   * ```
   */
  subscribe<Output = unknown, Input = unknown>(
    appId: string,
    options: SubscribeOptions<Input> = {},
  ): Promise<CallResult<Output>> {
    return this.#calls.subscribe<Output, Input>(appId, options);
  }

  /**
   * Where a queued request stands.
   *
   * @example
   * ```ts
   * const status = await client.status('me/my-app', 'request-id', { logs: true });
   * if (status.status === 'IN_QUEUE') console.log(status.queuePosition);
   * ```
   */
  status(appId: string, requestId: string, options: StatusOptions = {}): Promise<RequestStatus> {
    return this.#calls.status(appId, requestId, options);
  }

  /**
   * The result of a completed request.
   *
   * @example
   * ```ts
   * const { data } = await client.result<{ message: string }>('me/my-app', 'request-id');
   * console.log(data.message);
   * ```
   */
  result<Output = unknown>(appId: string, requestId: string, options: CallOptions = {}): Promise<CallResult<Output>> {
    return this.#calls.result<Output>(appId, requestId, options);
  }

  /**
   * Cancels a queued request.
   *
   * @example
   * ```ts
   * await client.cancel('me/my-app', 'request-id');
   * ```
   */
  cancel(appId: string, requestId: string, options: CallOptions = {}): Promise<void> {
    return this.#calls.cancel(appId, requestId, options);
  }
}
