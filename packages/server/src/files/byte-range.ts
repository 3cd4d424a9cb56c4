/** Part of a body; both ends included. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Reads a `Range` header (RFC 9110 14) for a body of `sizeBytes`. Pure.
 *
 * @returns null: answer with the whole body, because there is no header, it is none of ours (other units, several ranges), or it
 * makes no sense; `unsatisfiable`: answer 416.
 */
export function parseByteRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | null {
  const match = header === undefined ? null : /^bytes=[ \t]*(\d{0,16})-(\d{0,16})[ \t]*$/i.exec(header);
  if (match === null) return null;
  const [, first, last] = match;
  if (first === '') {
    if (last === '') return null;
    const length = Number(last);
    if (length === 0 || sizeBytes === 0) return 'unsatisfiable';
    return { first: Math.max(0, sizeBytes - length), last: sizeBytes - 1 };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return null;
  if (from >= sizeBytes) return 'unsatisfiable';
  return { first: from, last: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
}

/** A piece of a body that lies in several places, one after the other. */
export interface Slice<Place> {
  place: Place;
  range: ByteRange;
}

/** Which bytes of which places make up a range of the whole. Pure. */
export function sliceParts<Place extends { sizeBytes: number }>(
  places: readonly Place[],
  range: ByteRange,
): Slice<Place>[] {
  const slices: Slice<Place>[] = [];
  let offset = 0;
  for (const place of places) {
    const first = Math.max(range.first - offset, 0);
    const last = Math.min(range.last - offset, place.sizeBytes - 1);
    if (first <= last) slices.push({ place, range: { first, last } });
    offset += place.sizeBytes;
  }
  return slices;
}
