import type { CallOptions } from './call-options.ts';

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

/**
 * The part of `fetch` we need; the default one speaks over Node's own HTTP so that private authorities can be trusted.
 *
 * @example
 * ```ts
 * const logged: Fetch = (url, init) => {
 *   console.log(init.method, url);
 *   return fetch(url, init as RequestInit);
 * };
 * const other = new ServerlessClient({ fetch: logged });
 * ```
 */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string | Uint8Array; signal?: AbortSignal },
) => Promise<Response>;

/** What a transport is asked to send. */
export interface OutgoingRequest {
  method: string;
  headers: Record<string, string>;
  body?: HttpRequest['body'];
  signal?: AbortSignal;
}

/** How plain HTTP leaves this program: over Node's own HTTP, or a `fetch`. */
export interface HttpTransport {
  /** Resolves when the headers of the answer are there. */
  send(url: string, request: OutgoingRequest): Promise<Response>;
  close(): void;
}

/** True for a body that is made while it is sent. */
export const isSource = (body: HttpRequest['body']): body is BodySource =>
  typeof body === 'object' && !(body instanceof Uint8Array);

/** A transport over a `fetch`: of the caller, a browser or an edge runtime. It takes whole bodies only. */
export function createFetchTransport(fetch: Fetch): HttpTransport {
  return {
    async send(url, { body, ...init }) {
      if (body === undefined) return fetch(url, init);
      return fetch(url, { ...init, body: isSource(body) ? await readWhole(body) : body });
    },
    close: () => undefined,
  };
}

async function readWhole(source: BodySource): Promise<Uint8Array> {
  const whole = new Uint8Array(source.sizeBytes);
  let filled = 0;
  for await (const piece of source.pieces()) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole;
}
