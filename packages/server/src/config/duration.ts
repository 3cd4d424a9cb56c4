const unitsMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a text such as `90s`, `15m`, `24h` or `30d`; null when it is none. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,6})([smhd])$/.exec(text.trim());
  return match === null ? null : Number(match[1]) * unitsMs[match[2]!]!;
}
