import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LannerError } from '@lanner/protocol';
import { writeRawHead } from '../raw-answer.ts';
import { FrameScanner } from './frame-scanner.ts';
import { closeCodes, closeFrame, textFrame, type CloseCode } from './frames.ts';
import { ownProtocol } from './token-protocol.ts';

/** RFC 6455 1.3. */
const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Whether the caller learns nothing from a handshake that is refused with a status: `WebSocket` of browsers, and of Node, which
 * is made of the same parts, report every refusal as one and the same error. Such callers send `Origin` or `Sec-Fetch-Mode`.
 */
export function isBlindToRefusals(request: IncomingMessage): boolean {
  const { headers } = request;
  const isReadable = headers['sec-websocket-version'] === '13' && headers['sec-websocket-key'] !== undefined;
  return isReadable && (headers.origin !== undefined || headers['sec-fetch-mode'] === 'websocket');
}

/**
 * Accepts the handshake in order to say why it is refused: a message in the shape of the realtime protocol (data-plane 5.2),
 * then a close code with the same text; the caller's connection ends with its answer. The official browser client drops its token after the first kind of message, and so
 * asks for a new one with its next call; after a bare refusal it would use the old one for ever.
 */
export function refuseInBand(socket: Duplex, request: IncomingMessage, error: LannerError, requestId: string): void {
  const accept = createHash('sha1')
    .update(request.headers['sec-websocket-key']! + acceptSuffix)
    .digest('base64');
  const protocol = ownProtocol(request.headers['sec-websocket-protocol']);
  writeRawHead(socket, 101, 'Switching Protocols', {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-accept': accept,
    'x-fal-request-id': requestId,
    ...(protocol === null ? {} : { 'sec-websocket-protocol': protocol }),
  });
  socket.write(textFrame(JSON.stringify(toMessage(error))));
  socket.write(closeFrame(toCloseCode(error), error.message, false));
  // Some clients take an end without their answer to the close frame for a broken connection.
  const scanner = new FrameScanner(Infinity);
  socket.on('data', (chunk: Buffer) => {
    if (scanner.hasClosed || scanner.push(chunk) !== null || scanner.hasClosed) socket.end();
  });
}

function toMessage(error: LannerError): object {
  if (error.entry.httpStatus === 401) return { status: 'error', error: 'Unauthorized', reason: error.message };
  return { type: 'x-fal-error', error: error.code.toUpperCase(), reason: error.message };
}

/** The close code that stands for an error of the platform. */
export function toCloseCode(error: LannerError): CloseCode {
  const { httpStatus } = error.entry;
  if (error.code === 'shutting_down') return closeCodes.goingAway;
  if (httpStatus === 429 || httpStatus === 503 || httpStatus === 504) return closeCodes.tryLater;
  return httpStatus < 500 ? closeCodes.refused : closeCodes.appFailed;
}
