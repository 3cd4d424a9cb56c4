import type { IncomingMessage } from 'node:http';
import { LannerError } from '@lanner/protocol';
import type * as z from 'zod/mini';

/** A start request carries environment variables and a list of files; nothing else comes near. */
const maxBodyBytes = 32 * 1024 * 1024;

/**
 * Reads and checks a JSON body.
 * @throws LannerError `payload_too_large`, `bad_request` (not JSON), `invalid_argument` (names the field, never its value:
 * it may be a secret).
 */
export async function readBody<T>(request: IncomingMessage, schema: z.ZodMiniType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) {
      throw new LannerError('payload_too_large', `The body is larger than ${maxBodyBytes} bytes.`);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks, bytes).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LannerError('bad_request', 'The body is not JSON.');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.slice(0, 6).map(String).join('.') || 'body';
  throw new LannerError('invalid_argument', `Field ${field.slice(0, 200)} is not valid (${issue.code}).`);
}
