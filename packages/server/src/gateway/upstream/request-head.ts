import type { RunnerAddress, UpstreamRequest } from './upstream-transport.ts';

/** A request that cannot be put on the wire. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/** A request ready for the wire. */
export interface RequestHead {
  /** With the empty line that ends it; latin-1. */
  text: string;
  /** Of a body that is streamed: its length, or null when it goes in chunks. */
  streamedBytes: number | null;
}

const methodToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const target = /^\/[\x21-\xff]*$/;
const forbidden = /[^\t\x20-\x7e\x80-\xff]/;
const bodyMethods: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The head of a request as a runner gets it (RFC 9112 3, 6). The framing follows from the body: a buffer has its length, a stream
 * keeps the length that the caller gave it or goes in chunks.
 *
 * @throws BadRequest when a name, value, path or length cannot be written, so that nothing of it can become another request.
 */
export function toRequestHead({ host, port }: RunnerAddress, request: UpstreamRequest): RequestHead {
  const { method, path, headers, body } = request;
  if (!methodToken.test(method) || !target.test(path)) throw new BadRequest('a method or path that cannot be sent');
  let fields = '';
  let length: string | null = null;
  let hasHost = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!;
    const line = `${name}: ${headers[index + 1]!}`;
    if (forbidden.test(line) || name === '') throw new BadRequest(`a header that cannot be sent: ${name.slice(0, 80)}`);
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== null) throw new BadRequest('two lengths');
      length = headers[index + 1]!;
    } else if (name.length === 4 && name.toLowerCase() === 'host') {
      hasHost = true;
    }
    fields += `${line}\r\n`;
  }
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const start = `${method} ${path} HTTP/1.1\r\n${hasHost ? '' : `host: ${authority}\r\n`}`;
  const framing = toFraming(method, body, length);
  return {
    text: `${start}${fields}${framing}connection: keep-alive\r\n\r\n`,
    streamedBytes: body === null || Buffer.isBuffer(body) || length === null ? null : Number(length),
  };
}

/** What the caller's own headers lack of the framing. */
function toFraming(method: string, body: UpstreamRequest['body'], length: string | null): string {
  if (length !== null) {
    const isRight = body === null ? length === '0' : Buffer.isBuffer(body) ? length === String(body.length) : true;
    if (!isRight || !/^\d{1,15}$/.test(length)) throw new BadRequest('a length that the body does not have');
    return '';
  }
  if (body === null) return bodyMethods.has(method) ? 'content-length: 0\r\n' : '';
  return Buffer.isBuffer(body) ? `content-length: ${body.length}\r\n` : 'transfer-encoding: chunked\r\n';
}
