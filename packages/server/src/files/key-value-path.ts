import { LannerError } from '@lanner/protocol';

export type KeyValueOperation = { databaseName: string; keyName: string } & (
  | { kind: 'get' }
  | { kind: 'delete' }
  | { kind: 'set'; ttlSeconds: number }
);

const shortestTtlSeconds = 60;
const longestTtlSeconds = 30 * 24 * 60 * 60;
const longestNameBytes = 256;
const longestKeyBytes = 1024;

const verbs: Record<string, string> = { get: 'GET', set: 'PUT', delete: 'DELETE' };

/**
 * Reads `/get/{db}/{key}`, `/set/{db}/{key}?ttl=` and `/delete/{db}/{key}`; a key may hold slashes, and comes as it is or
 * percent-encoded. Pure.
 * @throws LannerError `not_found`, `method_not_allowed`, `invalid_argument`.
 */
export function parseKeyValuePath(method: string, target: string): KeyValueOperation {
  const [path, query = ''] = splitOnce(target, '?');
  const match = /^\/(get|set|delete)\/([^/]+)\/(.+)$/.exec(path);
  if (match === null) throw new LannerError('not_found', 'The paths here are /get, /set and /delete/{database}/{key}.');
  const [, kind, database, key] = match as unknown as [string, 'get' | 'set' | 'delete', string, string];
  if (method !== verbs[kind]) {
    throw new LannerError('method_not_allowed', `The path /${kind}/ has the method ${verbs[kind]} only.`);
  }
  const place = {
    databaseName: decode(database, longestNameBytes, 'database'),
    keyName: decode(key, longestKeyBytes, 'key'),
  };
  if (kind !== 'set') return { kind, ...place };
  return { kind, ...place, ttlSeconds: parseTtl(new URLSearchParams(query).get('ttl')) };
}

function parseTtl(text: string | null): number {
  if (text === null || text === '') return longestTtlSeconds;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds >= shortestTtlSeconds && seconds <= longestTtlSeconds)) {
    throw new LannerError(
      'invalid_argument',
      `ttl is a whole number of seconds from ${shortestTtlSeconds} to ${longestTtlSeconds}.`,
    );
  }
  return seconds;
}

function decode(text: string, longestBytes: number, what: string): string {
  let name: string;
  try {
    name = decodeURIComponent(text);
  } catch {
    // Keys are sent unescaped, so a lone percent sign is one.
    name = text;
  }
  if (Buffer.byteLength(name) > longestBytes || name.includes('\0')) {
    throw new LannerError(
      'invalid_argument',
      `The name of the ${what} may have ${longestBytes} bytes at most, and no NUL.`,
    );
  }
  return name;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
