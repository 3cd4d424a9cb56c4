/** Headers by which a reader says what it has already (RFC 9110 13). */
export interface ConditionHeaders {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
  'if-modified-since'?: string | undefined;
  'if-unmodified-since'?: string | undefined;
  'if-range'?: string | undefined;
}

/**
 * Whether a reader gets the body (`send`), already has it (`not_modified`, 304), or wants another one (`failed`, 412). Pure.
 * @param etag quoted.
 */
export function decideCondition(
  headers: ConditionHeaders,
  etag: string,
  modifiedAtMs: number,
): 'send' | 'not_modified' | 'failed' {
  const modifiedAtSeconds = Math.floor(modifiedAtMs / 1000);
  const seconds = (text: string | undefined): number | null => {
    const time = text === undefined ? Number.NaN : Date.parse(text);
    return Number.isNaN(time) ? null : Math.floor(time / 1000);
  };
  const match = headers['if-match'];
  const unmodifiedSince = seconds(headers['if-unmodified-since']);
  if (match !== undefined) {
    if (!matches(match, etag, false)) return 'failed';
  } else if (unmodifiedSince !== null && modifiedAtSeconds > unmodifiedSince) return 'failed';

  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) return matches(noneMatch, etag, true) ? 'not_modified' : 'send';
  const modifiedSince = seconds(headers['if-modified-since']);
  return modifiedSince !== null && modifiedAtSeconds <= modifiedSince ? 'not_modified' : 'send';
}

/** Whether a `Range` counts: only for the version the reader has begun with. Pure. */
export function isRangeWanted(ifRange: string | undefined, etag: string, modifiedAtMs: number): boolean {
  if (ifRange === undefined) return true;
  if (ifRange.includes('"')) return ifRange.trim() === etag;
  const time = Date.parse(ifRange);
  return !Number.isNaN(time) && Math.floor(time / 1000) === Math.floor(modifiedAtMs / 1000);
}

function matches(list: string, etag: string, isWeakAllowed: boolean): boolean {
  return list.split(',').some((entry) => {
    const tag = entry.trim();
    return tag === '*' || tag === etag || (isWeakAllowed && tag === `W/${etag}`);
  });
}
