import type { PresentedCredential } from './principal.ts';

/** Reads one header; names are lower case. */
export type HeaderGetter = (name: string) => string | null | undefined;

/** Far above any key, and enough for a signed token. */
const longestCredential = 8_192;

const malformedKey: PresentedCredential = {
  kind: 'malformed',
  message: "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
};

/**
 * The credential in an HTTP `Authorization` header: `Key <id>:<secret>`, or `Bearer <token>`. Never throws; what cannot
 * be read is `malformed`. The text of its message is what clients of the hosted platform know (data-plane 2.4).
 */
export function parseAuthorizationHeader(value: string | null | undefined): PresentedCredential {
  if (value === null || value === undefined || value.trim() === '') return { kind: 'none' };
  if (value.length > longestCredential) {
    return { kind: 'malformed', message: `The Authorization header is longer than ${longestCredential} characters.` };
  }
  const match = /^(\S+)(?:\s+(\S.*))?$/s.exec(value.trim());
  const scheme = match?.[1]?.toLowerCase();
  const rest = match?.[2] ?? '';
  if (scheme === 'key') return parseKey(rest);
  if (scheme === 'bearer') {
    if (rest === '') {
      return { kind: 'malformed', message: "Invalid Bearer Authorization header format. Expected 'Bearer <token>'." };
    }
    return { kind: 'bearer', token: rest };
  }
  return {
    kind: 'malformed',
    message: "Invalid Authorization header. Expected 'Key <key_id>:<key_secret>' or 'Bearer <token>'.",
  };
}

/**
 * The credential in gRPC metadata: `auth-key-id` and `auth-key` (the secret), else `authorization` as over HTTP
 * (grpc-controller 1.2).
 */
export function parseRpcCredential(header: HeaderGetter): PresentedCredential {
  const keyId = header('auth-key-id') ?? '';
  const keySecret = header('auth-key') ?? '';
  if (keyId === '' && keySecret === '') return parseAuthorizationHeader(header('authorization'));
  if (keyId === '' || keySecret === '') {
    return { kind: 'malformed', message: 'The metadata "auth-key-id" and "auth-key" must be sent together.' };
  }
  if (keyId.length + keySecret.length > longestCredential) {
    return { kind: 'malformed', message: `The key is longer than ${longestCredential} characters.` };
  }
  return { kind: 'key', keyId, keySecret };
}

/** The key in a text of the form `id:secret`, split at the first colon: secrets may hold more. null when it is none. */
export function splitKey(text: string): { keyId: string; keySecret: string } | null {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1 || /\s/.test(text)) return null;
  return { keyId: text.slice(0, colon), keySecret: text.slice(colon + 1) };
}

function parseKey(text: string): PresentedCredential {
  const key = splitKey(text.trim());
  return key === null ? malformedKey : { kind: 'key', ...key };
}
