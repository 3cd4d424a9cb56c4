import type { UpstreamHeaders } from './upstream-transport.ts';

/** How the body of an answer ends. */
export type AnswerFraming =
  | { kind: 'none' }
  | { kind: 'sized'; sizeBytes: number }
  | { kind: 'chunked' }
  | { kind: 'until-close' };

const none: AnswerFraming = { kind: 'none' };
const chunked: AnswerFraming = { kind: 'chunked' };
const untilClose: AnswerFraming = { kind: 'until-close' };

/**
 * Where the body of an answer ends (RFC 9112 6.3), read strictly: a length given twice, a length beside a transfer coding, or a
 * coding other than `chunked` could be read in two ways and is refused.
 *
 * @param requestMethod of the request that is answered.
 * @returns null when the framing contradicts itself.
 */
export function readAnswerFraming(
  requestMethod: string,
  status: number,
  headers: UpstreamHeaders,
): AnswerFraming | null {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (coding !== undefined && (length !== undefined || String(coding).toLowerCase() !== 'chunked')) return null;
  if (length !== undefined && !(typeof length === 'string' && /^\d{1,15}$/.test(length))) return null;
  if (requestMethod === 'HEAD' || status === 204 || status === 304) return none;
  if (coding !== undefined) return chunked;
  if (length === undefined) return untilClose;
  return length === '0' ? none : { kind: 'sized', sizeBytes: Number(length) };
}

/** True for trailers that speak of the framing, which is over when they come (RFC 9110 6.5.1). */
export function isAnyFraming(trailers: UpstreamHeaders): boolean {
  return trailers['content-length'] !== undefined || trailers['transfer-encoding'] !== undefined;
}

/** True when the app keeps the connection open after this answer (RFC 9112 9.3), as far as it says. */
export function keepsConnection(minorVersion: string, headers: UpstreamHeaders): boolean {
  const { connection } = headers;
  if (minorVersion === '0') return false;
  return connection === undefined || !/(^|[,\s])close($|[,\s])/i.test(String(connection));
}

/**
 * How long the app keeps an idle connection, as its `Keep-Alive` header announces it, less a second for what is on its way then.
 * Infinity when it announces nothing.
 */
export function readIdleMs(keepAlive: string | string[]): number {
  const seconds = /(?:^|[,\s])timeout=(\d{1,9})/i.exec(String(keepAlive))?.[1];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(seconds) - 1) * 1000;
}
