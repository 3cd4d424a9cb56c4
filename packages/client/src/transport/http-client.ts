import {
  ClientError,
  ConfigurationError,
  ConnectionError,
  ServerError,
  type ClientErrorCode,
} from '../errors/client-error.ts';
import { connectionFailure } from '../errors/connection-failure.ts';
import { httpHeaders } from '../resolve/credentials.ts';
import type { Settings } from '../resolve/settings.ts';
import { guardBody } from './guard-body.ts';
import type { HttpRequest, HttpTransport } from './http-transport.ts';

/** Signed plain HTTP: REST and the data plane, with kept-alive connections. */
export class HttpClient {
  readonly #settings: Settings;
  readonly #teamUserId: () => Promise<string | undefined>;
  readonly #transport: HttpTransport;
  #closed = false;

  constructor(settings: Settings, teamUserId: () => Promise<string | undefined>, transport: HttpTransport) {
    this.#settings = settings;
    this.#teamUserId = teamUserId;
    this.#transport = transport;
  }

  /** Sends a signed request; resolves as soon as the headers are there, whatever the status. Throws connection errors. */
  async send(url: string, request: HttpRequest = {}): Promise<Response> {
    return this.#send(url, request, httpHeaders(await this.#settings.signing(), await this.#teamUserId()));
  }

  /** As {@link send}, with the login alone: for the call that finds the team. */
  async sendAsUser(url: string, request: HttpRequest = {}): Promise<Response> {
    return this.#send(url, request, httpHeaders(await this.#settings.signing(), undefined));
  }

  /** Without key and login: for URLs that are the permission themselves, and may be another service's. */
  async sendUnsigned(url: string, request: HttpRequest = {}): Promise<Response> {
    return this.#send(url, request, {});
  }

  /** A signed request whose JSON answer is wanted; any status but 2xx is thrown. */
  async json(url: string, request: HttpRequest = {}): Promise<unknown> {
    return readJson(await this.send(url, request), url);
  }

  close(): void {
    this.#closed = true;
    this.#transport.close();
  }

  async #send(url: string, request: HttpRequest, signing: Record<string, string>): Promise<Response> {
    if (this.#closed)
      throw new ConfigurationError('client_closed', 'This client was closed.', {
        advice: 'Make a new ServerlessClient.',
      });
    const timeout = request.timeoutMs === undefined ? undefined : AbortSignal.timeout(request.timeoutMs);
    const signals = [request.signal, timeout].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    const failure = (error: unknown): ClientError => toFailure(error, url, request, timeout?.aborted === true);
    try {
      signal?.throwIfAborted();
      const response = await this.#transport.send(url, {
        method: request.method ?? 'GET',
        headers: { ...signing, ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(signal ? { signal } : {}),
      });
      return guardBody(response, failure);
    } catch (error) {
      throw failure(error);
    }
  }
}

/** What broke a call, before or after its headers came, as one of our errors. */
function toFailure(error: unknown, url: string, request: HttpRequest, isLate: boolean): ClientError {
  // The body of the request could not be made.
  if (error instanceof ClientError) return error;
  if (request.signal?.aborted)
    return new ConnectionError('cancelled', 'The call was cancelled.', { cause: request.signal.reason });
  const { host } = new URL(url);
  if (isLate) {
    return new ConnectionError('timed_out', `${host} did not answer within ${request.timeoutMs} ms.`, {
      cause: error,
      advice: 'Give a larger timeoutMs.',
    });
  }
  return (
    connectionFailure(error, host) ??
    new ConnectionError('connection_lost', `The call to ${host} failed.`, { cause: error, advice: 'Try again.' })
  );
}

/** Reads a JSON answer; throws what the server said for any status but 2xx. */
export async function readJson(response: Response, url: string): Promise<unknown> {
  const text = await response.text();
  if (!response.ok) throw answerError(response, text);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ServerError(
      'unexpected_answer',
      `${new URL(url).host} answered ${response.status} with something that is not JSON.`,
      {
        cause: error,
        status: response.status,
        advice: 'Is this a Lanner or fal server? Check the host.',
      },
    );
  }
}

/** The error of a REST answer that is not 2xx: `detail`, as every REST service of fal sends it, is the message. */
export function answerError(response: Response, text: string): ServerError {
  let detail: unknown = text;
  try {
    detail = (JSON.parse(text) as { detail?: unknown } | null)?.detail ?? text;
  } catch {
    // Not JSON: the text itself is what there is to say.
  }
  const message = typeof detail === 'string' && detail !== '' ? detail : JSON.stringify(detail);
  return new ServerError(
    codeOfStatus(response.status),
    message === '""' ? `The server answered ${response.status}.` : message,
    {
      status: response.status,
      requestId: response.headers.get('x-fal-request-id') ?? undefined,
    },
  );
}

function codeOfStatus(status: number): ClientErrorCode {
  switch (status) {
    case 401:
      return 'unauthenticated';
    case 403:
      return 'permission_denied';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    case 429:
      return 'too_many_requests';
    case 503:
      return 'server_unavailable';
    default:
      return status >= 500 ? 'server_error' : 'rejected';
  }
}
