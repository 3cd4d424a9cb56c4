import { withoutTokenProtocol } from './token-protocol.ts';

/** Headers of a handshake that belong to it alone, or to one request, which has its own. Nobody would decode a compressed body. */
const ofOneMessage: ReadonlySet<string> = new Set([
  'accept-encoding',
  'content-length',
  'content-type',
  'x-fal-request-id',
]);

/** A handshake's headers (name, value, name, value …) for the app, without the token that its protocols may hold. */
export function toUpgradeHeaders(headers: readonly string[]): string[] {
  return flatMapPairs(headers, (name, value) => {
    if (name.toLowerCase() !== 'sec-websocket-protocol') return [name, value];
    const protocols = withoutTokenProtocol(value);
    return protocols === null ? [] : [name, protocols];
  });
}

/** What of a handshake's headers goes with every request that comes over its connection. */
export function toRequestHeaders(headers: readonly string[]): string[] {
  return flatMapPairs(headers, (name, value) => {
    const lower = name.toLowerCase();
    return lower.startsWith('sec-websocket-') || ofOneMessage.has(lower) ? [] : [name, value];
  });
}

function flatMapPairs(headers: readonly string[], map: (name: string, value: string) => string[]): string[] {
  const mapped: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) mapped.push(...map(headers[at]!, headers[at + 1]!));
  return mapped;
}
