import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { Blobs } from '../blobs/blobs.ts';
import type { EndedRequest } from '../queue/request-store.ts';
import type { Delivery } from './delivery.ts';

/** What a receiver gets: JSON text around the result, which is passed on byte by byte as the app wrote it. */
export interface WebhookBody {
  sizeBytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** The text again and again, for every attempt. A large result is read from its blob, not kept. */
  open(): Uint8Array | AsyncIterable<Uint8Array>;
}

/** Results up to this size are put into the webhook; larger ones are named only. */
export const largestPayloadBytes: number = 4 * 1024 * 1024;

/**
 * The body of a webhook (data-plane 3.7): `request_id`, `gateway_request_id`, `status`, `payload`, and `error` for anything but
 * 2xx, and `payload_error` where there is no payload.
 *
 * @param result null: it is not stored any more.
 */
export async function toWebhookBody(
  delivery: Pick<Delivery, 'requestId' | 'gatewayRequestId'>,
  result: EndedRequest | null,
  blobs: Pick<Blobs, 'open'>,
): Promise<WebhookBody> {
  const payload = await readPayload(result, blobs);
  const isOk = result === null ? false : result.status >= 200 && result.status < 300;
  const before = JSON.stringify({
    request_id: delivery.requestId,
    gateway_request_id: delivery.gatewayRequestId,
    status: isOk ? 'OK' : 'ERROR',
  });
  const after = JSON.stringify({
    ...(isOk || result === null ? {} : { error: `Invalid status code: ${result.status}` }),
    ...(result === null ? { error: 'The result of the request is not stored any more.' } : {}),
    ...('missing' in payload ? { payload_error: payload.missing } : {}),
  });
  const head = Buffer.from(`${before.slice(0, -1)},"payload":`);
  const tail = Buffer.from(after === '{}' ? '}' : `,${after.slice(1)}`);
  if ('missing' in payload) return inMemory([head, Buffer.from('null'), tail]);
  const blob = result?.body.blob ?? null;
  return blob === null
    ? inMemory([head, payload.text, tail])
    : fromBlob(measure([head, payload.text, tail]), head, blob, tail, blobs);
}

function inMemory(parts: Uint8Array[]): WebhookBody {
  const whole = Buffer.concat(parts);
  return { ...measure([whole]), open: () => whole };
}

/** Of the payload it keeps the name only: a thousand of them may be under way. */
function fromBlob(
  facts: { sizeBytes: number; sha256: string },
  head: Uint8Array,
  blob: string,
  tail: Uint8Array,
  blobs: Pick<Blobs, 'open'>,
): WebhookBody {
  return { ...facts, open: () => readAround(head, blob, tail, blobs) };
}

async function* readAround(
  head: Uint8Array,
  blob: string,
  tail: Uint8Array,
  blobs: Pick<Blobs, 'open'>,
): AsyncGenerator<Uint8Array> {
  yield head;
  yield* (await blobs.open(blob)) as AsyncIterable<Uint8Array>;
  yield tail;
}

function measure(parts: readonly Uint8Array[]): { sizeBytes: number; sha256: string } {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return { sizeBytes: parts.reduce((sum, part) => sum + part.length, 0), sha256: hash.digest('hex') };
}

async function readPayload(
  result: EndedRequest | null,
  blobs: Pick<Blobs, 'open'>,
): Promise<{ text: Uint8Array } | { missing: string }> {
  if (result === null || result.payloads === 'deleted') {
    return { missing: 'The result was deleted before it could be delivered.' };
  }
  const { body } = result;
  if (body.sizeBytes > largestPayloadBytes) {
    return {
      missing: `The result has ${body.sizeBytes} bytes, more than the ${largestPayloadBytes} that a webhook carries. Fetch it from the queue.`,
    };
  }
  const text =
    body.blob === null ? (body.bytes ?? new Uint8Array()) : await buffer((await blobs.open(body.blob)) as Readable);
  if (!isJson(text)) {
    return { missing: 'The result is not JSON. Fetch it from the queue.' };
  }
  return { text };
}

function isJson(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return true;
  } catch {
    return false;
  }
}
