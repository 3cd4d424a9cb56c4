import { ConnectionError, ServerError, type ClientError } from '../errors/client-error.ts';
import type { StorageNamespace } from '../files/storage.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import { readJson, type HttpClient } from '../transport/http-client.ts';
import { retryCall, type RetryPolicy } from '../transport/retry.ts';
import { sleep } from '../transport/sleep.ts';
import { parseEvent, readServerSentEvents } from '../transport/server-sent-events.ts';
import { endpointUrl, parseAppId } from './app-id.ts';
import { callError } from './call-error.ts';
import type {
  CallResult,
  InvokeOptions,
  QueuedRequest,
  RunOptions,
  StatusOptions,
  SubmitOptions,
  SubscribeOptions,
} from './call-types.ts';
import { readAnswer } from './read-answer.ts';
import { toRequestStatus, type RequestStatus } from './request-state.ts';

/** Status and result change nothing, so they are repeated as the reference does; run, submit and cancel never are. */
const readPolicy: RetryPolicy = {
  attempts: 10,
  firstDelayMs: 100,
  longestDelayMs: 30_000,
  jitter: 0.5,
  shouldRetry: (error) =>
    error instanceof RetryableAnswer ||
    (error instanceof ConnectionError &&
      !['cancelled', 'certificate_not_trusted', 'host_not_found'].includes(error.code)),
};

/** Calls of apps: run, stream, and the queue. */
export class AppCalls {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #storage: StorageNamespace;

  constructor(settings: Settings, http: HttpClient, storage: StorageNamespace) {
    this.#settings = settings;
    this.#http = http;
    this.#storage = storage;
  }

  async run<Output, Input>(appId: string, options: RunOptions<Input>): Promise<CallResult<Output>> {
    const method = options.method ?? 'POST';
    const input = await this.#toInput(options);
    let url = endpointUrl(this.#settings.hosts().runUrl, appId, options.path);
    if (parseAppId(appId).path === '' && !options.path) url += '/';
    if (method === 'GET' && input !== undefined) url += `?${toQuery(input).toString()}`;
    const response = await this.#http.send(url, {
      ...callPart(options),
      method,
      headers: requestHeaders(options),
      ...(method === 'GET' ? {} : bodyOf(input)),
    });
    return readResult<Output>(response);
  }

  async *stream<Event, Input>(appId: string, options: InvokeOptions<Input>): AsyncGenerator<Event, void, undefined> {
    const url = endpointUrl(
      this.#settings.hosts().runUrl,
      appId,
      options.path ?? (parseAppId(appId).path.endsWith('stream') ? '' : '/stream'),
    );
    const response = await this.#http.send(url, {
      ...callPart(options),
      method: 'POST',
      headers: { ...requestHeaders(options), accept: 'text/event-stream', 'cache-control': 'no-store' },
      ...bodyOf(await this.#toInput(options)),
    });
    if (!response.ok) throw callError(response, await readAnswer(response));
    if (!/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
      await response.body?.cancel();
      throw new ServerError('unexpected_answer', `${appId} does not answer with a stream of events.`, {
        advice: 'Call it with run, or name its streaming endpoint with path.',
      });
    }
    for await (const event of readServerSentEvents(response, options.signal)) {
      if (event.data !== '') yield parseEvent(event) as Event;
    }
  }

  async submit<Output, Input>(appId: string, options: SubmitOptions<Input>): Promise<QueuedRequest<Output>> {
    let url = endpointUrl(this.#settings.hosts().queueUrl, appId, options.path);
    if (options.webhookUrl !== undefined)
      url += `?${new URLSearchParams({ fal_webhook: options.webhookUrl }).toString()}`;
    const response = await this.#http.send(url, {
      ...callPart(options),
      method: 'POST',
      headers: {
        ...requestHeaders(options),
        ...(options.priority ? { 'x-fal-queue-priority': options.priority } : {}),
      },
      ...bodyOf(await this.#toInput(options)),
    });
    if (!response.ok) throw callError(response, await readAnswer(response));
    const { request_id: requestId } = (await readJson(response, url)) as { request_id?: unknown };
    if (typeof requestId !== 'string')
      throw new ServerError('unexpected_answer', 'The queue gave no id to the request.');
    return {
      requestId,
      status: (more = {}) => this.status(appId, requestId, more),
      result: (more = {}) => this.result<Output>(appId, requestId, more),
      cancel: (more = {}) => this.cancel(appId, requestId, more),
    };
  }

  async subscribe<Output, Input>(appId: string, options: SubscribeOptions<Input>): Promise<CallResult<Output>> {
    const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
    const signals = [options.signal, timeout].filter((signal) => signal !== undefined);
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    const { timeoutMs: _whole, ...submitOptions } = options;
    const request = await this.submit<Output, Input>(appId, { ...submitOptions, signal });
    try {
      for (;;) {
        const status = await request.status({ logs: options.logs, signal });
        options.onStatus?.(status);
        if (status.status === 'COMPLETED') return await request.result({ signal });
        await sleep(options.pollIntervalMs ?? 500, signal);
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
      // Nobody waits for it any more. Whether it could be cancelled changes nothing for the caller.
      await request.cancel({ timeoutMs: 5000 }).catch(() => undefined);
      if (timeout?.aborted) {
        throw new ConnectionError(
          'timed_out',
          `The request was not complete within ${options.timeoutMs} ms and was cancelled.`,
          {
            cause: error,
            requestId: request.requestId,
          },
        );
      }
      throw new ConnectionError('cancelled', 'The call was cancelled.', { cause: error, requestId: request.requestId });
    }
  }

  async status(appId: string, requestId: string, options: StatusOptions): Promise<RequestStatus> {
    const url = `${this.#requestUrl(appId, requestId)}/status${options.logs ? '?logs=1' : ''}`;
    return retryCall(readPolicy, options, async (left) => {
      const response = await this.#http.send(url, left);
      const body = await readAnswer(response);
      if (!response.ok) throw retryable(response, body);
      return toRequestStatus(body, requestId);
    }).catch(unwrap);
  }

  async result<Output>(appId: string, requestId: string, options: CallOptions): Promise<CallResult<Output>> {
    const url = this.#requestUrl(appId, requestId);
    return retryCall(readPolicy, options, async (left) => {
      const response = await this.#http.send(url, left);
      const body = await readAnswer(response);
      if (!response.ok) throw retryable(response, body);
      return { data: body as Output, requestId };
    }).catch(unwrap);
  }

  async cancel(appId: string, requestId: string, options: CallOptions): Promise<void> {
    const response = await this.#http.send(`${this.#requestUrl(appId, requestId)}/cancel`, {
      ...callPart(options),
      method: 'PUT',
    });
    const body = await readAnswer(response);
    if (response.ok) return;
    const { status } = (body ?? {}) as { status?: unknown };
    if (response.status === 404)
      throw new ServerError('not_found', `There is no request ${requestId} of ${appId}.`, { status: 404, requestId });
    if (status === 'ALREADY_COMPLETED') {
      throw new ServerError('conflict', `The request ${requestId} is complete already.`, {
        status: response.status,
        requestId,
      });
    }
    throw callError(response, body);
  }

  /** Files in the input are uploaded, and their URLs sent, as the official client for JavaScript does. */
  #toInput<Input>(options: InvokeOptions<Input>): Promise<Input | undefined> | Input | undefined {
    return this.#storage.transformInput(options.input, { signal: options.signal });
  }

  /** Requests are found under the app alone: the path of an id is left out. */
  #requestUrl(appId: string, requestId: string): string {
    return `${this.#settings.hosts().queueUrl}/${parseAppId(appId).app}/requests/${encodeURIComponent(requestId)}`;
  }
}

/** An answer after which a read is tried again; carries the error to throw at the end. */
class RetryableAnswer extends Error {
  readonly error: ClientError;

  constructor(error: ClientError) {
    super(error.message);
    this.error = error;
  }
}

/**
 * 408, 409 and 429 are passing; 502 to 504 only when a proxy in front made them. What carries a request id came from the
 * platform or the app and stands.
 */
function retryable(response: Response, body: unknown): Error {
  const error = callError(response, body);
  const { status, headers } = response;
  if (headers.has('x-fal-request-timeout-type')) return error;
  const isIngress =
    status >= 502 &&
    status <= 504 &&
    !headers.has('x-fal-request-id') &&
    typeof body === 'string' &&
    body.includes('nginx');
  return [408, 409, 429].includes(status) || isIngress ? new RetryableAnswer(error) : error;
}

function unwrap(error: unknown): never {
  throw error instanceof RetryableAnswer ? error.error : error;
}

async function readResult<Output>(response: Response): Promise<CallResult<Output>> {
  const body = await readAnswer(response);
  if (!response.ok) throw callError(response, body);
  return { data: body as Output, requestId: response.headers.get('x-fal-request-id') ?? '' };
}

function requestHeaders(options: InvokeOptions<unknown>): Record<string, string> {
  return {
    accept: 'application/json, */*;q=0.5',
    ...(options.hint === undefined ? {} : { 'x-fal-runner-hint': options.hint }),
    ...(options.startTimeout === undefined ? {} : { 'x-fal-request-timeout': String(options.startTimeout) }),
    ...(options.input === undefined ? {} : { 'content-type': 'application/json' }),
    ...options.headers,
  };
}

const callPart = (options: CallOptions): CallOptions => ({ signal: options.signal, timeoutMs: options.timeoutMs });
const bodyOf = (input: unknown): { body?: string } => (input === undefined ? {} : { body: JSON.stringify(input) });

function toQuery(input: unknown): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input as Record<string, unknown>)) {
    if (value !== undefined) query.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return query;
}
