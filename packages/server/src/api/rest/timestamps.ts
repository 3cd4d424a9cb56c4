/** A timestamp as the official client reads it on every Python version: six fraction digits and a numeric offset. */
export function toTimestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace('Z', '000+00:00');
}

/** Milliseconds of an ISO 8601 text, which counts as UTC when it has no offset; null when it is none. */
export function parseTimestamp(text: string): number | null {
  const normal = text.trim().replace(' ', 'T');
  if (!/^\d{4}-\d{2}-\d{2}(T|$)/.test(normal)) return null;
  const hasOffset = /(Z|[+-]\d{2}:?\d{2})$/i.test(normal) && normal.includes('T');
  const atMs = Date.parse(hasOffset ? normal : normal.includes('T') ? `${normal}Z` : normal);
  return Number.isNaN(atMs) ? null : atMs;
}
