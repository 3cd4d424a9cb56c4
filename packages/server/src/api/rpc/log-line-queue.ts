import type { LogLine } from '../../scheduler/fleet.ts';

/** Lines on their way from a callback to a stream. */
export interface LogLineQueue {
  push(line: LogLine): void;
  /** No more lines; the reader ends after those that wait. */
  close(): void;
  /** Everything that waits, as often as there is something. One reader. */
  batches(): AsyncGenerator<LogLine[], void, void>;
}

/**
 * Turns a callback into something that can be iterated. When nobody reads, the oldest lines go first and a line
 * says how many.
 *
 * @param mostLines lines kept.
 */
export function createLogLineQueue(mostLines: number): LogLineQueue {
  let waiting: LogLine[] = [];
  let droppedCount = 0;
  let isClosed = false;
  let wake: () => void = () => undefined;
  return {
    push(line) {
      if (isClosed) return;
      waiting.push(line);
      if (waiting.length > mostLines) {
        waiting.shift();
        droppedCount += 1;
      }
      wake();
    },
    close() {
      isClosed = true;
      wake();
    },
    async *batches() {
      for (;;) {
        if (waiting.length > 0) {
          const lines = waiting;
          waiting = [];
          const [first] = lines;
          if (droppedCount > 0 && first !== undefined) {
            lines.unshift({
              atMs: first.atMs,
              source: 'bridge',
              level: 'warning',
              line: `${droppedCount} lines were dropped here.`,
            });
            droppedCount = 0;
          }
          yield lines;
        } else if (isClosed) {
          return;
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    },
  };
}
