import { z } from 'zod';
import { parseProxyUrl, type UpstreamProxy } from './upstream-proxy.ts';

/**
 * How a caller of the CONNECT proxy wants all other hosts to be reached:
 * `server` as the server's own environment says, `direct` without a proxy, or through a given one.
 */
export type UpstreamChoice = { kind: 'server' } | { kind: 'direct' } | { kind: 'proxy'; proxy: UpstreamProxy };

const userName = 'lanner';
const encoded = z.tuple([z.string(), z.string()]);

/**
 * The user name for the proxy URL. `lanner exec` knows the proxy settings its caller had and the server may not share, so
 * they travel in the user name: `lanner` (server decides), `lanner.direct`, or `lanner.<base64url of [url, noProxy]>`.
 */
export function encodeProxyUser(choice: UpstreamChoice): string {
  if (choice.kind === 'server') return userName;
  if (choice.kind === 'direct') return `${userName}.direct`;
  const { url, noProxy } = choice.proxy;
  return `${userName}.${Buffer.from(JSON.stringify([url, noProxy])).toString('base64url')}`;
}

/** The reverse of {@link encodeProxyUser}; null for a user name of another form. */
export function decodeProxyUser(user: string): UpstreamChoice | null {
  if (user === userName) return { kind: 'server' };
  if (user === `${userName}.direct`) return { kind: 'direct' };
  if (!user.startsWith(`${userName}.`)) return null;
  try {
    const text = Buffer.from(user.slice(userName.length + 1), 'base64url').toString('utf8');
    const [url, noProxy] = encoded.parse(JSON.parse(text));
    return parseProxyUrl(url) === null ? null : { kind: 'proxy', proxy: { url, noProxy } };
  } catch {
    return null;
  }
}

/** User and password of a `Basic` header, or null. */
export function parseBasic(header: string | undefined): { user: string; password: string } | null {
  const match = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header ?? '');
  if (match === null) return null;
  const text = Buffer.from(match[1]!, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
