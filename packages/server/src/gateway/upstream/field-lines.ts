import type { UpstreamHeaders } from './upstream-transport.ts';

/** Names as written, to what they are in lower case; null for what is no token. Bounded, so that apps cannot grow it. */
const names = new Map<string, string | null>();
const knownNamesLimit = 512;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What no line may hold once it is taken apart at its line ends (RFC 9110 5.5). */
const forbidden = /[\0-\x08\x0a-\x1f\x7f]/; // eslint-disable-line no-control-regex

/**
 * Header or trailer fields (RFC 9112 5): one line each, without their line ends. Folded lines, spaces before the colon and
 * control characters are refused, as they are what request smuggling is made of.
 *
 * @param lines from `first` on; latin-1.
 * @returns null when a line is not a field.
 */
export function parseFieldLines(lines: readonly string[], first: number): UpstreamHeaders | null {
  const headers: UpstreamHeaders = {};
  for (let index = first; index < lines.length; index += 1) {
    const line = lines[index]!;
    const colon = line.indexOf(':');
    const name = colon === -1 ? null : toLowerName(line.slice(0, colon));
    if (name === null || forbidden.test(line)) return null;
    const value = trimBlanks(line, colon + 1);
    const known = headers[name];
    if (known === undefined || name === '__proto__') headers[name] = value;
    else if (typeof known === 'string') headers[name] = [known, value];
    else known.push(value);
  }
  return headers;
}

function toLowerName(written: string): string | null {
  const known = names.get(written);
  if (known !== undefined) return known;
  const lower = token.test(written) ? written.toLowerCase() : null;
  if (names.size < knownNamesLimit) names.set(written, lower);
  return lower;
}

/** Spaces and tabs only: bytes above 0x7f belong to the value. */
function trimBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
