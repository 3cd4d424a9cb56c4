import { UsageError } from '../output.ts';
import type { OptionSpec } from './command-spec.ts';

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const part = /^(\d+(?:\.\d+)?)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)\s*/i;
/** Clocks differ a little: what is a minute too old is taken. */
const leewayMs = 60_000;

/**
 * A time in the past as people write it: `now`, `15m`, `1h 30m`, `24h ago`, `2 days ago`, `yesterday`, or an ISO date, which
 * is local time when it names no zone. Pure.
 * @throws UsageError when it is none of these, or lies further back than `limitMs`
 */
export function parsePastTime(text: string, nowMs: number, limitMs?: number): Date {
  const timeMs = readTime(text.trim(), nowMs);
  if (timeMs === null) {
    throw new UsageError(
      `Invalid since value: ${text}. Use 'now', relative like '15m' or '24h ago', or an ISO timestamp.`,
    );
  }
  if (limitMs !== undefined && timeMs < nowMs - limitMs - leewayMs) {
    throw new UsageError(`Since value is older than the allowed limit ${limitMs / unitMs['d']!} day.`);
  }
  return new Date(timeMs);
}

function readTime(text: string, nowMs: number): number | null {
  const lower = text.toLowerCase();
  if (lower === 'now') return nowMs;
  if (lower === 'yesterday') return nowMs - unitMs['d']!;
  if (/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\s*(Z|[+-]\d\d:?\d\d))?)?$/i.test(text)) {
    // a date alone would be read as UTC
    const timeMs = Date.parse(/[T ]/.test(text) ? text.replace(' ', 'T').replaceAll(' ', '') : `${text}T00:00`);
    return Number.isNaN(timeMs) ? null : timeMs;
  }
  let rest = lower.replace(/\s*ago$/, '');
  let backMs = 0;
  if (rest === '') return null;
  while (rest !== '') {
    const match = part.exec(rest);
    if (match === null) return null;
    backMs += Number(match[1]) * unitMs[match[2]![0]!]!;
    rest = rest.slice(match[0].length);
  }
  return nowMs - backMs;
}

/** `--since` of lists: at most a day back. */
export const sinceOption: OptionSpec = {
  flags: '--since <time>',
  summary:
    "Show terminated runners since the given time. Accepts 'now', relative like '30m', '1h', '1d', or an ISO timestamp. Max 24 hours.",
  parse: (text) => parsePastTime(text, Date.now(), unitMs['d']),
};
