import type { OutgoingHttpHeaders } from 'node:http';

/**
 * Messages of HTTP over WebSocket, from server to caller (data-plane 5.1): a start and an end message frame the body of every
 * answer. Readers tell them from bodies by being text with both `type` and `request_id`, so bodies are binary throughout.
 */

/** Largest binary message: the official client takes 1 MiB. */
export const bodyPieceBytes = 512 * 1024;

/** `{"type":"start", …}`: status and headers as the app answered. Several values of one header are joined by a comma. */
export function startMessage(requestId: string, status: number, headers: OutgoingHttpHeaders): string {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return JSON.stringify({ type: 'start', request_id: requestId, status, headers: flat });
}

/** `{"type":"end", …}`. `firstByteMs`: from the request's departure to its first byte of an answer. */
export function endMessage(requestId: string, status: number, firstByteMs: number): string {
  const seconds = Math.round(firstByteMs * 1000) / 1e6;
  return JSON.stringify({ type: 'end', request_id: requestId, status, time_to_first_byte_seconds: seconds });
}

/** A body in pieces that fit into messages; none for an empty one. */
export function* piecesOf(chunk: Buffer): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += bodyPieceBytes) yield chunk.subarray(at, at + bodyPieceBytes);
}
