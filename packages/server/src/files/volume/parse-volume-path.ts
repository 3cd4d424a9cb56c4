import { LannerError } from '@lanner/protocol';

/** A place below `/data`: names as bytes, because runners may use any. Empty: `/data` itself. */
export type VolumePath = readonly Buffer[];

const longestPathBytes = 4096;
const longestNameBytes = 255;
const slash = 0x2f;

/**
 * Reads the path of a file route as it stands in the URL, percent-encoded (rest-api 2.3). What begins with a slash is absolute
 * and must lie in `/data`; everything else is taken from there. Pure.
 *
 * @param encoded what follows the route's own part, e.g. `/data/models/a.bin` or `models/a.bin`.
 * @throws LannerError `invalid_argument` for a path outside, with `..`, or that no file system takes.
 */
export function parseVolumePath(encoded: string): VolumePath {
  return fromAbsoluteOrRelative(decodePercent(encoded));
}

/** The same from text that is not encoded, e.g. out of a JSON body. */
export function parseVolumeText(text: string): VolumePath {
  return fromAbsoluteOrRelative(Buffer.from(text));
}

/** `/data/…` as people read it; bytes that are no UTF-8 are shown as the replacement character. */
export function formatVolumePath(path: VolumePath): string {
  return ['/data', ...path.map(String)].join('/');
}

/** Splits at slashes; empty and `.` segments mean nothing. `..` stays. */
export function splitSegments(bytes: Buffer): Buffer[] {
  const segments: Buffer[] = [];
  for (let start = 0; start <= bytes.length;) {
    const at = bytes.indexOf(slash, start);
    const end = at === -1 ? bytes.length : at;
    const segment = bytes.subarray(start, end);
    if (segment.length > 0 && !segment.equals(here)) segments.push(segment);
    start = end + 1;
  }
  return segments;
}

const here = Buffer.from('.');
const above = Buffer.from('..');
const root = Buffer.from('data');

export const isAbove = (segment: Buffer): boolean => segment.equals(above);
export const isRootName = (segment: Buffer | undefined): boolean => segment?.equals(root) === true;

function fromAbsoluteOrRelative(bytes: Buffer): VolumePath {
  if (bytes.length > longestPathBytes) throw wrongPath('is longer than any path may be');
  if (bytes.includes(0)) throw wrongPath('has a NUL byte in it');
  const segments = splitSegments(bytes);
  if (segments.some(isAbove)) throw wrongPath('may not contain ".."');
  if (segments.some((segment) => segment.length > longestNameBytes)) {
    throw wrongPath(`has a name of more than ${longestNameBytes} bytes`);
  }
  if (bytes[0] !== slash) return segments;
  if (!isRootName(segments[0])) throw wrongPath('lies outside of /data');
  return segments.slice(1);
}

function decodePercent(text: string): Buffer {
  if (!text.includes('%')) return Buffer.from(text);
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] !== '%') {
      const character = text.codePointAt(index)!;
      bytes.push(...Buffer.from(String.fromCodePoint(character)));
      if (character > 0xffff) index += 1;
      continue;
    }
    const digits = text.slice(index + 1, index + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw wrongPath('has a percent sign that is no escape');
    bytes.push(Number.parseInt(digits, 16));
    index += 2;
  }
  return Buffer.from(bytes);
}

function wrongPath(what: string): LannerError {
  return new LannerError('invalid_argument', `This path ${what}. Paths of files are /data/… or relative to it.`);
}
