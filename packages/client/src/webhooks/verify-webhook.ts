import { KeySet, type VerificationKey } from './key-set.ts';
import { WebhookVerificationError } from './verification-error.ts';

/**
 * Headers as `Request` has them, or as Node's `IncomingMessage` does.
 *
 * @example
 * ```ts
 * const headers: WebhookHeaders = { 'x-fal-webhook-request-id': 'request-id' };
 * ```
 */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * A webhook as it arrived.
 *
 * @example
 * ```ts
 * const received = async (request: Request): Promise<WebhookDelivery> => ({
 *   headers: request.headers,
 *   body: await request.arrayBuffer(),
 * });
 * ```
 */
export interface WebhookDelivery {
  headers: WebhookHeaders;
  /** The raw body: what was parsed and printed again is not what was signed. */
  body: string | Uint8Array | ArrayBuffer;
}

/**
 * What a webhook tells.
 *
 * @example
 * ```ts
 * const show = (event: WebhookEvent<{ images: string[] }>): void => console.log(event.requestId, event.payload?.images);
 * ```
 */
export interface WebhookEvent<Payload = unknown> {
  /** Tells repetitions: a webhook may come more than once. */
  requestId: string;
  /** Of the attempt that counted. */
  gatewayRequestId: string;
  /** Account that submitted the request. */
  userId: string;
  status: 'OK' | 'ERROR';
  /** The result, or the body of the error; null when it could not be put into the webhook, see `payloadError`. */
  payload: Payload | null;
  /** Set when the request failed, e.g. `Invalid status code: 422`. */
  error?: string;
  payloadError?: string;
  /** When it was signed. */
  sentAt: Date;
}

/**
 * Where the keys are, and how strict to be.
 *
 * @example
 * ```ts
 * const options: WebhookVerifierOptions = { jwksUrl: 'https://rest.lanner.example/.well-known/jwks.json' };
 * ```
 */
export interface WebhookVerifierOptions {
  /** Key set of the platform: `https://<REST host>/.well-known/jwks.json`. */
  jwksUrl: string;
  /** How far the time of a webhook may be off. Default 300 seconds. */
  toleranceSeconds?: number;
  /** How long the key set is kept. Default an hour, a day at most. */
  cacheSeconds?: number;
  /** Default: the global one. */
  fetch?: typeof fetch;
  /** Milliseconds since the epoch. Default: `Date.now`. */
  nowMs?: () => number;
}

/**
 * Checks where webhooks come from. Uses the Web's own cryptography only, so it runs in Node, in browsers' service workers and on
 * edge runtimes. Make one and keep it: it holds the key set.
 *
 * @example
 * ```ts
 * import { WebhookVerifier } from '@lanner/client/webhooks';
 *
 * const verifier = new WebhookVerifier({ jwksUrl: 'https://rest.lanner.example/.well-known/jwks.json' });
 *
 * export async function receive(request: Request): Promise<Response> {
 *   const event = await verifier.verify<{ images: string[] }>({
 *     headers: request.headers,
 *     body: await request.arrayBuffer(),
 *   });
 *   console.log(event.requestId, event.payload?.images);
 *   return new Response(null, { status: 204 });
 * }
 * ```
 */
export class WebhookVerifier {
  readonly #keySet: KeySet;
  readonly #toleranceMs: number;
  readonly #nowMs: () => number;

  constructor(options: WebhookVerifierOptions) {
    this.#nowMs = options.nowMs ?? (() => Date.now());
    this.#toleranceMs = (options.toleranceSeconds ?? 300) * 1000;
    this.#keySet = new KeySet({
      url: options.jwksUrl,
      // Not detached from its global: some runtimes refuse that.
      fetch: options.fetch ?? ((...given) => fetch(...given)),
      nowMs: this.#nowMs,
      cacheMs: Math.min(options.cacheSeconds ?? 3600, 24 * 60 * 60) * 1000,
    });
  }

  /**
   * What a webhook tells, once it is sure that the platform sent it: Ed25519 over request id, user id, timestamp and the SHA-256 of
   * the body, made by any key of the set. An unknown key makes the set be fetched anew, once a minute at most.
   * @throws WebhookVerificationError with a `code`.
   *
   * @example
   * ```ts
   * const verifier = new WebhookVerifier({ jwksUrl: 'https://rest.lanner.example/.well-known/jwks.json' });
   * export const receive = async (request: Request): Promise<string> =>
   *   (await verifier.verify({ headers: request.headers, body: await request.arrayBuffer() })).requestId;
   * ```
   */
  async verify<Payload = unknown>({ headers, body }: WebhookDelivery): Promise<WebhookEvent<Payload>> {
    const requestId = readHeader(headers, 'x-fal-webhook-request-id');
    const userId = readHeader(headers, 'x-fal-webhook-user-id');
    const timestamp = readHeader(headers, 'x-fal-webhook-timestamp');
    const signature = fromHex(readHeader(headers, 'x-fal-webhook-signature'));
    if (!/^\d{1,12}$/.test(timestamp)) throw malformed('x-fal-webhook-timestamp', 'seconds since the epoch');
    const sentAtMs = Number(timestamp) * 1000;
    // Before anything is fetched: what is too old costs nothing.
    if (Math.abs(this.#nowMs() - sentAtMs) > this.#toleranceMs) {
      throw new WebhookVerificationError(
        'timestamp_out_of_tolerance',
        `The webhook was signed at ${new Date(sentAtMs).toISOString()}, further away than ${this.#toleranceMs / 1000} s.`,
      );
    }
    const bytes = toBytes(body);
    const hash = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
    const message = new TextEncoder().encode([requestId, userId, timestamp, hash].join('\n'));
    await this.#assertSigned(signature, message);
    return toEvent<Payload>(bytes, userId, sentAtMs);
  }

  async #assertSigned(signature: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): Promise<void> {
    if (await isSignedByAny(await this.#keySet.keys(), signature, message)) return;
    const newer = await this.#keySet.refreshed().catch(() => null);
    if (newer !== null && (await isSignedByAny(newer, signature, message))) return;
    throw new WebhookVerificationError(
      'invalid_signature',
      'No key of the platform made the signature of this webhook.',
    );
  }
}

/** For callers without a place to keep a verifier: one per key set, ten at most. */
const verifiers = new Map<string, WebhookVerifier>();
const mostVerifiers = 10;

/**
 * {@link WebhookVerifier.verify} with a verifier that is kept for the next call with the same `jwksUrl` and tolerance.
 *
 * @example
 * ```ts
 * import { verifyWebhook, WebhookVerificationError } from '@lanner/client/webhooks';
 *
 * export async function receive(request: Request): Promise<Response> {
 *   try {
 *     const event = await verifyWebhook(
 *       { headers: request.headers, body: await request.arrayBuffer() },
 *       { jwksUrl: 'https://rest.lanner.example/.well-known/jwks.json' },
 *     );
 *     console.log(event.requestId, event.status);
 *     return new Response(null, { status: 204 });
 *   } catch (error) {
 *     if (!(error instanceof WebhookVerificationError)) throw error;
 *     return new Response(error.code, { status: error.code === 'keys_unavailable' ? 503 : 401 });
 *   }
 * }
 * ```
 *
 * @throws WebhookVerificationError with a `code`.
 */
export function verifyWebhook<Payload = unknown>(
  delivery: WebhookDelivery,
  options: Pick<WebhookVerifierOptions, 'jwksUrl' | 'toleranceSeconds'>,
): Promise<WebhookEvent<Payload>> {
  const name = `${options.toleranceSeconds ?? ''} ${options.jwksUrl}`;
  let verifier = verifiers.get(name);
  if (verifier === undefined) {
    if (verifiers.size >= mostVerifiers) verifiers.clear();
    verifiers.set(name, (verifier = new WebhookVerifier(options)));
  }
  return verifier.verify<Payload>(delivery);
}

/** Verification compares points of a curve, not secrets; trying every key takes no less time for a signature that is nearly right. */
async function isSignedByAny(
  keys: readonly VerificationKey[],
  signature: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const verdicts = await Promise.all(
    keys.map((key) => crypto.subtle.verify({ name: 'Ed25519' }, key, signature, message)),
  );
  return verdicts.includes(true);
}

function readHeader(headers: WebhookHeaders, name: string): string {
  const value = isGettable(headers) ? headers.get(name) : findHeader(headers, name);
  if (typeof value === 'string' && value !== '') return value;
  throw new WebhookVerificationError('missing_header', `The header ${name} is missing.`);
}

function isGettable(headers: WebhookHeaders): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function';
}

function findHeader(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  name: string,
): string | undefined {
  const found = headers[name] ?? Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return typeof found === 'string' ? found : found?.[0];
}

function malformed(name: string, wanted: string): WebhookVerificationError {
  return new WebhookVerificationError('malformed_header', `The header ${name} should hold ${wanted}.`);
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-f]{128}$/i.test(text)) throw malformed('x-fal-webhook-signature', '64 bytes in hexadecimal');
  return Uint8Array.from(text.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function toBytes(body: WebhookDelivery['body']): Uint8Array<ArrayBuffer> {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return body instanceof ArrayBuffer ? new Uint8Array(body) : new Uint8Array(body);
}

function toEvent<Payload>(bytes: Uint8Array, userId: string, sentAtMs: number): WebhookEvent<Payload> {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Record<string, unknown> | null;
  } catch (error) {
    throw new WebhookVerificationError('malformed_body', 'The body is not JSON.', { cause: error });
  }
  const { request_id: requestId, gateway_request_id: gatewayRequestId, status } = value ?? {};
  if (typeof requestId !== 'string' || (status !== 'OK' && status !== 'ERROR')) {
    throw new WebhookVerificationError('malformed_body', 'The body is not that of a webhook.');
  }
  const { payload, error, payload_error: payloadError } = value!;
  return {
    requestId,
    gatewayRequestId: typeof gatewayRequestId === 'string' ? gatewayRequestId : requestId,
    userId,
    status,
    payload: (payload ?? null) as Payload | null,
    ...(typeof error === 'string' ? { error } : {}),
    ...(typeof payloadError === 'string' ? { payloadError } : {}),
    sentAt: new Date(sentAtMs),
  };
}
