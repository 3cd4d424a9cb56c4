import { request as requestPlain, Agent as PlainAgent, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import {
  ClientError,
  ConfigurationError,
  ConnectionError,
  ServerError,
  type ClientErrorCode,
} from '../errors/client-error.ts';
import { connectionFailure } from '../errors/connection-failure.ts';
import { httpHeaders } from '../resolve/credentials.ts';
import type { Environment } from '../resolve/environment.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from './call-options.ts';
import { readTrust } from './trust.ts';

/** One plain HTTP call. */
export interface HttpRequest extends CallOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | BodySource | undefined;
}

/** A body that is made while it is sent, so that it is never in memory as a whole. */
export interface BodySource {
  sizeBytes: number;
  /** A piece may be overwritten as soon as the next but one is asked for. */
  pieces(): AsyncIterable<Uint8Array>;
}

/** The part of `fetch` we need; the default one speaks over Node's own HTTP so that private authorities can be trusted. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string | Uint8Array; signal?: AbortSignal },
) => Promise<Response>;

/** As {@link Fetch}, for bodies that are made while they are sent too. */
type FetchSource = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: HttpRequest['body']; signal?: AbortSignal },
) => Promise<Response>;

/** Name and version sent with plain HTTP calls. */
const userAgent = 'lanner-client/0.1.0 (typescript)';

/** Signed plain HTTP: REST and the data plane, with kept-alive connections. */
export class HttpClient {
  readonly #settings: Settings;
  readonly #teamUserId: () => Promise<string | undefined>;
  #fetch: Fetch | undefined;
  #agents: NodeAgents | undefined;
  #closed = false;

  constructor(settings: Settings, teamUserId: () => Promise<string | undefined>, fetch?: Fetch) {
    this.#settings = settings;
    this.#teamUserId = teamUserId;
    this.#fetch = fetch;
  }

  /** Sends a signed request; resolves as soon as the headers are there, whatever the status. Throws connection errors. */
  async send(url: string, request: HttpRequest = {}): Promise<Response> {
    return this.#send(url, request, httpHeaders(this.#settings.credentials(), await this.#teamUserId()));
  }

  /** As {@link send}, with the login alone: for the call that finds the team. */
  async sendAsUser(url: string, request: HttpRequest = {}): Promise<Response> {
    return this.#send(url, request, httpHeaders(this.#settings.credentials(), undefined));
  }

  /** A signed request whose JSON answer is wanted; any status but 2xx is thrown. */
  async json(url: string, request: HttpRequest = {}): Promise<unknown> {
    return readJson(await this.send(url, request), url);
  }

  close(): void {
    this.#closed = true;
    this.#agents?.destroy();
  }

  async #send(url: string, request: HttpRequest, signing: Record<string, string>): Promise<Response> {
    if (this.#closed)
      throw new ConfigurationError('client_closed', 'This client was closed.', {
        advice: 'Make a new ServerlessClient.',
      });
    const timeout = request.timeoutMs === undefined ? undefined : AbortSignal.timeout(request.timeoutMs);
    const signals = [request.signal, timeout].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    try {
      signal?.throwIfAborted();
      return await (this.#fetch ? readingSources(this.#fetch) : this.#nodeFetch())(url, {
        method: request.method ?? 'GET',
        headers: { 'user-agent': userAgent, ...signing, ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      // The body could not be made.
      if (error instanceof ClientError) throw error;
      if (request.signal?.aborted)
        throw new ConnectionError('cancelled', 'The call was cancelled.', { cause: request.signal.reason });
      const { host } = new URL(url);
      if (timeout?.aborted) {
        throw new ConnectionError('timed_out', `${host} did not answer within ${request.timeoutMs} ms.`, {
          cause: error,
          advice: 'Give a larger timeoutMs.',
        });
      }
      throw (
        connectionFailure(error, host) ??
        new ConnectionError('connection_lost', `The call to ${host} failed.`, { cause: error, advice: 'Try again.' })
      );
    }
  }

  #nodeFetch(): FetchSource {
    this.#agents ??= new NodeAgents(this.#settings.environment);
    return this.#agents.fetch;
  }
}

/** A `fetch` of somebody else takes whole bodies. */
function readingSources(fetch: Fetch): FetchSource {
  return async (url, { body, ...init }) => {
    if (!isSource(body)) return fetch(url, { ...init, ...(body === undefined ? {} : { body }) });
    const whole = new Uint8Array(body.sizeBytes);
    let filled = 0;
    for await (const piece of body.pieces()) {
      whole.set(piece, filled);
      filled += piece.length;
    }
    return fetch(url, { ...init, body: whole });
  };
}

const isSource = (body: HttpRequest['body']): body is BodySource =>
  typeof body === 'object' && !(body instanceof Uint8Array);

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

/** Kept-alive connections of Node, with the certificates the variables name. Idle ones do not keep a program alive. */
class NodeAgents {
  readonly #plain = new PlainAgent({ keepAlive: true });
  readonly #tls: TlsAgent;

  constructor(environment: Environment) {
    const { ca, rejectUnauthorized } = readTrust(environment, 'http');
    this.#tls = new TlsAgent({ keepAlive: true, rejectUnauthorized, ...(ca === undefined ? {} : { ca }) });
  }

  readonly fetch: FetchSource = (url, init) =>
    new Promise((resolve, reject) => {
      const isPlain = url.startsWith('http:');
      const source = isSource(init.body) ? init.body : undefined;
      const body = typeof init.body === 'string' ? Buffer.from(init.body) : init.body;
      const sizeBytes = isSource(body) ? body.sizeBytes : body?.length;
      const options = {
        method: init.method,
        agent: isPlain ? this.#plain : this.#tls,
        headers: { ...init.headers, ...(sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }) },
        ...(init.signal ? { signal: init.signal } : {}),
      };
      const outgoing = isPlain ? requestPlain(url, options) : requestTls(url, options);
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => resolve(toResponse(incoming)));
      if (source) writePieces(outgoing, source.pieces()).catch((error: unknown) => outgoing.destroy(error as Error));
      else outgoing.end(body);
    });

  destroy(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }
}

/** Writes one piece while the next is being made. */
async function writePieces(outgoing: ClientRequest, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let before: Promise<void> | undefined;
  for await (const piece of pieces) {
    const written = new Promise<void>((done, fail) => outgoing.write(piece, (error) => (error ? fail(error) : done())));
    // A connection that breaks is told by the request's own error.
    written.catch(() => undefined);
    await before;
    before = written;
  }
  await before;
  outgoing.end();
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  const status = incoming.statusCode ?? 500;
  const isEmpty = status === 204 || status === 205 || status === 304;
  if (isEmpty) incoming.resume();
  const body = isEmpty ? null : (Readable.toWeb(incoming) as NodeReadableStream<Uint8Array>);
  return new Response(body as unknown as ReadableStream<Uint8Array> | null, { status, headers });
}
