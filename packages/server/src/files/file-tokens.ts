import { LannerError, type Clock } from '@lanner/protocol';
import type { Signer } from './signatures.ts';

/** Who may upload, as a short-lived token says it; the key behind it is looked up at each use. */
export interface TokenFacts {
  keyId: string;
  expiresAtMs: number;
}

const defaultLifetimeSeconds = 24 * 60 * 60;
/** The toolkit asks anew when less than an hour is left, so shorter ones would be of no use. */
const shortestLifetimeSeconds = 60;
const longestLifetimeSeconds = 30 * 24 * 60 * 60;
const tokenPrefix = 'lanner_cdn';

/**
 * Tokens for the file host, `prefix.keyId.expiry.signature`, in place of a key (rest-api 2.10).
 * @param lifetimeSeconds default a day, brought into one minute … 30 days.
 */
export function createFileToken(
  signer: Signer,
  clock: Pick<Clock, 'nowMs'>,
  keyId: string,
  lifetimeSeconds: number = defaultLifetimeSeconds,
): { token: string; expiresAtMs: number } {
  const seconds = Math.min(Math.max(Math.floor(lifetimeSeconds), shortestLifetimeSeconds), longestLifetimeSeconds);
  const expiresAtMs = clock.nowMs() + seconds * 1000;
  const body = `${Buffer.from(keyId).toString('base64url')}.${expiresAtMs.toString(36)}`;
  return { token: `${tokenPrefix}.${body}.${signer.sign('token', body)}`, expiresAtMs };
}

/** @throws LannerError `unknown_key` for what is no token of ours, and for one whose time is over. */
export function readFileToken(signer: Signer, clock: Pick<Clock, 'nowMs'>, token: string): TokenFacts {
  const [prefix, key, expiry, signature, ...more] = token.slice(0, 1024).split('.');
  if (
    prefix !== tokenPrefix ||
    key === undefined ||
    expiry === undefined ||
    signature === undefined ||
    more.length > 0 ||
    !signer.verify('token', `${key}.${expiry}`, signature)
  ) {
    throw new LannerError('unknown_key', 'This is no token for files. Ask for one at /storage/auth/token.');
  }
  const expiresAtMs = Number.parseInt(expiry, 36);
  if (!(clock.nowMs() < expiresAtMs)) {
    throw new LannerError(
      'unknown_key',
      'The token for files has expired. Ask for another one at /storage/auth/token.',
    );
  }
  return { keyId: Buffer.from(key, 'base64url').toString(), expiresAtMs };
}

/** What stands in an upload URL: the object and the right to fill it. */
export function createUploadTicket(signer: Signer, objectId: string): string {
  return `${objectId}.${signer.sign('upload', objectId)}`;
}

/** The object that an upload URL is for; null when it is none of ours. */
export function readUploadTicket(signer: Signer, ticket: string): string | null {
  const [objectId, signature, ...more] = ticket.slice(0, 200).split('.');
  if (objectId === undefined || signature === undefined || more.length > 0) return null;
  return signer.verify('upload', objectId, signature) ? objectId : null;
}

/** What makes a link to an object readable for everybody until it ends. */
export function createReadSignature(signer: Signer, objectId: string, expiresAtMs: number): string {
  const expiry = expiresAtMs.toString(36);
  return `${expiry}.${signer.sign('read', `${objectId}.${expiry}`)}`;
}

export function isReadSignature(
  signer: Signer,
  clock: Pick<Clock, 'nowMs'>,
  objectId: string,
  signature: string,
): boolean {
  const [expiry, mac, ...more] = signature.slice(0, 200).split('.');
  if (expiry === undefined || mac === undefined || more.length > 0) return false;
  return signer.verify('read', `${objectId}.${expiry}`, mac) && clock.nowMs() < Number.parseInt(expiry, 36);
}
