import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lanner/protocol';

/** An answer where no response object exists: broken HTTP, refused upgrades and tunnels. */
export interface RawResponse {
  status: number;
  /** Sent as `{"detail": …}`, as everywhere. */
  detail: string;
  headers?: Readonly<Record<string, string>>;
}

/** How long a client may go on sending what nobody reads; closing at once would reset the connection under our answer. */
const lingerMs = 1_000;

/** Answers on a bare socket and closes it. A socket that was answered already is left alone. */
export function writeRawResponse(socket: Duplex, response: RawResponse, clock: Clock): void {
  if (socket.writableEnded) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ detail: response.detail });
  const lines = [
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? 'Error'}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    ...Object.entries(response.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  const linger = clock.setTimer(lingerMs, () => socket.destroy());
  socket.once('close', () => linger.cancel());
  socket.on('error', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  socket.resume();
}

/** Answers a request that the HTTP/1 parser gave up on. The parser may report the same socket again; only the first counts. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex, clock: Clock): void {
  const answer = (status: number, detail: string): void => writeRawResponse(socket, { status, detail }, clock);
  // Node keeps the answer under way here, as its own default handler relies on; a second one must not run into its body.
  const underWay = (socket as { _httpMessage?: { headersSent?: boolean } })._httpMessage;
  if (error.code === 'ECONNRESET' || underWay?.headersSent === true) socket.destroy();
  else if (error.code === 'HPE_HEADER_OVERFLOW') answer(431, 'The headers of this request are larger than 64 KiB.');
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') answer(408, 'The request did not arrive in time.');
  else answer(400, 'This is not a well-formed HTTP request.');
}
