import type { Readable } from 'node:stream';
import { isLannerError, LannerError } from '@lanner/protocol';
import type { z } from 'zod';
import { toValidationError } from './rest-errors.ts';
import type { RestContext } from './rest-route.ts';

const defaultLargestBytes = 64 * 1024;

/**
 * The JSON body of a request, checked.
 *
 * @param largestBytes of the body; default 64 KiB.
 * @throws `payload_too_large`; `bad_request` for what is no JSON; a ValidationError (422) for what does not fit.
 */
export async function readJson<Schema extends z.ZodType>(
  context: RestContext,
  schema: Schema,
  largestBytes: number = defaultLargestBytes,
): Promise<z.infer<Schema>> {
  const { incoming } = context.env;
  const text = await readText(incoming, largestBytes).catch((error: unknown) => {
    if (isLannerError(error) || !incoming.destroyed) throw error;
    throw new LannerError('client_disconnected', 'The client left before its request had arrived.', { cause: error });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LannerError('bad_request', 'The body of the request is not valid JSON.');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw toValidationError('body', parsed.error);
  return parsed.data;
}

/** Reads Node's stream itself: Hono's limit needs Node's global Request, which does not take the adapter's. */
async function readText(body: Readable, largestBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  // Not destroyed on the way out: the client has to be able to read the refusal.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    sizeBytes += (chunk as Uint8Array).byteLength;
    if (sizeBytes > largestBytes) {
      body.resume();
      throw new LannerError('payload_too_large', `The body of this route may have up to ${largestBytes} bytes.`);
    }
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}
