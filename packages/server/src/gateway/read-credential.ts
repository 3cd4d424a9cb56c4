import type { IncomingHttpHeaders } from 'node:http';
import { parseAuthorizationHeader } from '../auth/parse-credential.ts';
import type { PresentedCredential } from '../auth/principal.ts';
import { readProtocolToken } from './sockets/token-protocol.ts';

/**
 * The credential of a data-plane call (data-plane 1.4): the `Authorization` header, or, where no header can be set (browsers'
 * WebSockets and event streams), the query parameter `fal_jwt_token`, or a WebSocket's subprotocol of that name.
 */
export function readCredential(headers: IncomingHttpHeaders, query: string): PresentedCredential {
  const presented = parseAuthorizationHeader(headers.authorization);
  if (presented.kind !== 'none') return presented;
  const token = readQueryToken(query) ?? readProtocolToken(headers['sec-websocket-protocol']);
  return token === null ? presented : { kind: 'bearer', token };
}

const queryTokenName = 'fal_jwt_token';

function readQueryToken(query: string): string | null {
  if (!query.includes(queryTokenName)) return null;
  return new URLSearchParams(query.slice(1)).get(queryTokenName) || null;
}

/** The query without the caller's token, which is no business of the app; everything else stays as it was sent. */
export function withoutQueryToken(query: string): string {
  if (!query.includes(queryTokenName)) return query;
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => pair !== queryTokenName && !pair.startsWith(`${queryTokenName}=`));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}
