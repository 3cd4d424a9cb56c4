import type { LogLine } from '../../scheduler/fleet.ts';

/** One page of history: lines newest first, and where the next, older page begins. */
export interface LogPage {
  lines: LogLine[];
  /** null: this was the last page. */
  nextUntilMs: number | null;
}

/**
 * Cuts what was read into a page. Times have milliseconds, and many lines can share one: the lines of the oldest
 * millisecond move to the next page, which begins there, so that none is lost or told twice.
 *
 * @param lines newest first, `until` included; at most `pageSize`.
 */
export function toLogPage(lines: LogLine[], pageSize: number): LogPage {
  const oldest = lines.at(-1);
  if (oldest === undefined || lines.length < pageSize) return { lines, nextUntilMs: null };
  const kept = lines.filter((line) => line.atMs !== oldest.atMs);
  // One millisecond with a whole page of lines: go on below it, the cursor has to move.
  if (kept.length === 0) return { lines, nextUntilMs: oldest.atMs - 1 };
  return { lines: kept, nextUntilMs: oldest.atMs };
}
