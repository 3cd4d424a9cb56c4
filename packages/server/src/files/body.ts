import type { Readable } from 'node:stream';
import { LannerError } from '@lanner/protocol';
import type { AnyRequest } from '../ports/route.ts';
import type { Incoming } from './intake.ts';

/**
 * The body of a request as bytes to take in. Leaving it early does not end the connection, so that the caller can read why; a
 * caller who leaves early ends it with `client_disconnected`.
 */
export function toIncoming(request: AnyRequest): Incoming {
  const announced = request.headers['content-length'];
  const announcedBytes = announced !== undefined && /^\d{1,16}$/.test(announced) ? Number(announced) : null;
  return { announcedBytes, bytes: readBody(request) };
}

async function* readBody(request: AnyRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* (request as Readable).iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw gone(error);
  }
  if (request.aborted) throw gone();
}

const gone = (cause?: unknown): LannerError =>
  new LannerError('client_disconnected', 'The caller left before its file had arrived.', { cause });

/**
 * A small JSON body.
 * @throws LannerError `payload_too_large`; `bad_request` for what is no JSON.
 */
export async function readSmallJson(request: AnyRequest, largestBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of readBody(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > largestBytes) {
      throw new LannerError('payload_too_large', `The body here may have ${largestBytes} bytes at most.`);
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new LannerError('bad_request', 'The body of the request is not valid JSON.');
  }
}
