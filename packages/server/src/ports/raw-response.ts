import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Answers on a bare socket, where no response object exists (broken HTTP, refused upgrades and tunnels), and closes it.
 * The body is `{"detail": …}` as everywhere.
 */
export function writeRawResponse(
  socket: Duplex,
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (!socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ detail });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.on('error', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

/** Answers a request that the HTTP/1 parser gave up on. */
export function answerClientError(error: Error & { code?: string; bytesParsed?: number }, socket: Duplex): void {
  if (error.code === 'ECONNRESET') socket.destroy();
  else if (error.code === 'HPE_HEADER_OVERFLOW') {
    writeRawResponse(socket, 431, 'The headers of this request are larger than 64 KiB.');
  } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    writeRawResponse(socket, 408, 'The request did not arrive in time.');
  } else writeRawResponse(socket, 400, 'This is not a well-formed HTTP request.');
}
