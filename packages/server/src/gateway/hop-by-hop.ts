/**
 * Header fields that concern one connection only and are never passed on, in either direction (RFC 9110 7.6.1, and what
 * HTTP/2 forbids). `trailer` is among them because Node wants it to match its own framing; trailers themselves pass.
 */
export const hopByHopHeaders: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const usual: ReadonlySet<string> = new Set([
  'keep-alive',
  'close',
  'upgrade',
  'Keep-Alive',
  'Upgrade',
  'keep-alive, Upgrade',
]);

/**
 * Further names that a `Connection` header declares to be hop-by-hop, in lower case. Names that the platform or the message
 * framing depend on cannot be declared away.
 */
export function namesInConnection(value: string | string[] | undefined): ReadonlySet<string> | null {
  if (value === undefined || usual.has(value as string)) return null;
  const names = new Set<string>();
  for (const part of String(value).split(',')) {
    const name = part.trim().toLowerCase();
    if (name !== '' && !protectedNames.has(name) && !name.startsWith('x-fal-')) names.add(name);
  }
  return names;
}

const protectedNames: ReadonlySet<string> = new Set(['authorization', 'content-length', 'content-type', 'host']);
