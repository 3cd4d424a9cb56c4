import type { PresentedCredential } from '../auth/principal.ts';

const none: PresentedCredential = { kind: 'none' };

/**
 * The credential of a data-plane call (data-plane 1.4): `Authorization: Key id:secret`, `Authorization: Bearer token`, or
 * the query parameter `fal_jwt_token` where no header can be set (browsers' WebSockets and event streams).
 */
export function readCredential(authorization: string | undefined, query: string): PresentedCredential {
  if (authorization === undefined || authorization === '') {
    const token = readQueryToken(query);
    return token === null ? none : { kind: 'bearer', token };
  }
  const space = authorization.indexOf(' ');
  const scheme = (space === -1 ? authorization : authorization.slice(0, space)).toLowerCase();
  const value = space === -1 ? '' : authorization.slice(space + 1).trim();
  if (scheme === 'key') {
    const colon = value.indexOf(':');
    if (colon < 1 || colon === value.length - 1) {
      return { kind: 'malformed', message: "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'." };
    }
    return { kind: 'key', keyId: value.slice(0, colon), keySecret: value.slice(colon + 1) };
  }
  if (scheme === 'bearer' && value !== '') return { kind: 'bearer', token: value };
  return { kind: 'malformed', message: "Invalid Authorization header. Expected 'Key <key_id>:<key_secret>' or 'Bearer <token>'." };
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
