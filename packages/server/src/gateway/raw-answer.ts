import { STATUS_CODES, type OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LannerError } from '@lanner/protocol';
import { toErrorAnswer } from './send-error.ts';

/** Writes the head of an HTTP/1.1 answer to a bare socket, as an upgrade hands it over. */
export function writeRawHead(socket: Duplex, status: number, reason: string, headers: OutgoingHttpHeaders): void {
  let text = `HTTP/1.1 ${status} ${reason || (STATUS_CODES[status] ?? '')}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) text += `${name}: ${one}\r\n`;
    }
  }
  socket.write(`${text}\r\n`, 'latin1');
}

/** Answers an upgrade with an error and ends the connection. */
export function writeRawError(socket: Duplex, error: LannerError, requestId: string): void {
  const { status, headers, body } = toErrorAnswer(error, requestId);
  writeRawHead(socket, status, STATUS_CODES[status] ?? '', { ...headers, connection: 'close' });
  socket.end(body);
}
