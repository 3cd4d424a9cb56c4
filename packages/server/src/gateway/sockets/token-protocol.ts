/**
 * Tokens as WebSocket subprotocols, for browsers, which can set no header: `new WebSocket(url, ['fal_jwt_token', token])`. It
 * keeps the token out of URLs, and so out of histories and of the logs of whatever is in between.
 */
const protocolName = 'fal_jwt_token';

/** The token among the protocols that a handshake offers (`Sec-WebSocket-Protocol`), or null. */
export function readProtocolToken(offered: string | undefined): string | null {
  const names = split(offered);
  const at = names.indexOf(protocolName);
  return at === -1 ? null : (names[at + 1] ?? null);
}

/** What of the offer the app gets to see; null when nothing is left. */
export function withoutTokenProtocol(offered: string): string | null {
  const names = split(offered);
  const at = names.indexOf(protocolName);
  if (at === -1) return offered;
  names.splice(at, 2);
  return names.length === 0 ? null : names.join(', ');
}

/** The protocol to answer with where the app named none: a browser that offered some closes a connection without. */
export function ownProtocol(offered: string | undefined): string | null {
  return split(offered).includes(protocolName) ? protocolName : null;
}

function split(offered: string | undefined): string[] {
  if (offered === undefined) return [];
  return offered
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
