import type { Clock } from '@lanner/protocol';
import type { LogLine } from '../../scheduler/fleet.ts';
import type { LogRange } from './read-log.ts';

/** How often the log of a live runner is looked at. */
const pollMs = 500;
/** Most lines taken up at one look; a runner that prints more between two looks loses the older ones here, not on disk. */
const mostLinesPerLook = 5000;

/**
 * The lines of a runner from a time on, oldest first, in lists as they appear. An empty list means that nothing came for
 * one interval. Ends when the runner has ended and its last line was told, or at `untilMs`; throws the signal's reason.
 */
export async function* followLog(input: {
  /** Newest first; both ends of the range included. */
  read: (range: LogRange) => Promise<LogLine[]>;
  clock: Pick<Clock, 'nowMs' | 'sleep'>;
  sinceMs: number;
  untilMs: number;
  /** Asked before each look, so that the last look sees everything. */
  hasEnded: () => Promise<boolean>;
  signal: AbortSignal;
}): AsyncGenerator<LogLine[], void, void> {
  let sinceMs = input.sinceMs;
  // Many lines share a millisecond: those of the newest one that were told are skipped at the next look.
  let toldAtSince = 0;
  for (;;) {
    const isLast = (await input.hasEnded()) || input.clock.nowMs() > input.untilMs;
    const found = await input.read({
      sinceMs,
      ...(Number.isFinite(input.untilMs) ? { untilMs: input.untilMs } : {}),
      limit: mostLinesPerLook,
    });
    const lines = found.toReversed();
    const isWhole = found.length < mostLinesPerLook;
    const fresh = isWhole ? lines.slice(toldAtSince) : lines;
    const newest = lines.at(-1);
    if (newest !== undefined) {
      sinceMs = newest.atMs;
      toldAtSince = lines.filter((line) => line.atMs === newest.atMs).length;
    }
    yield fresh;
    if (isLast) return;
    await input.clock.sleep(pollMs, input.signal);
  }
}
