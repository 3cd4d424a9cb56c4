import type { RunnerExit, RunnerResult } from '@lanner/protocol';
import type { LogLine } from './fleet.ts';

export interface RunOutcome {
  type: 'outcome';
  result: RunnerResult | null;
  exit: RunnerExit;
  resultBytes: Uint8Array | null;
}

export type RunEvent = { type: 'log'; line: LogLine } | RunOutcome;

/** Characters of log lines that wait for a slow reader; older lines are dropped and counted. */
const bufferedCharacters = 4 * 1024 * 1024;
const bufferedLines = 10_000;

/** The log lines of one run and, last, its outcome. A reader that is too slow loses lines, never the outcome. */
export class RunEvents {
  #lines: LogLine[] = [];
  #characters = 0;
  #dropped = 0;
  #outcome: RunOutcome | null = null;
  #wake: (() => void) | null = null;

  log(line: LogLine): void {
    this.#lines.push(line);
    this.#characters += line.line.length;
    while (this.#lines.length > bufferedLines || this.#characters > bufferedCharacters) {
      this.#characters -= this.#lines.shift()!.line.length;
      this.#dropped += 1;
    }
    this.#wake?.();
  }

  /** Only the first one counts. */
  end(outcome: RunOutcome): void {
    this.#outcome ??= outcome;
    this.#wake?.();
  }

  /** For one reader. Ends after the outcome; throws the signal's reason when aborted first. */
  async *read(signal: AbortSignal): AsyncGenerator<RunEvent> {
    for (;;) {
      signal.throwIfAborted();
      const lines = this.#lines;
      const dropped = this.#dropped;
      this.#lines = [];
      this.#characters = 0;
      this.#dropped = 0;
      if (dropped > 0) yield { type: 'log', line: gapLine(dropped, lines[0]) };
      for (const line of lines) yield { type: 'log', line };
      if (this.#lines.length > 0) continue;
      if (this.#outcome) return yield this.#outcome;
      await this.#nextChange(signal);
    }
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#wake = null;
        reject(signal.reason as Error);
      };
      this.#wake = () => {
        this.#wake = null;
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function gapLine(dropped: number, next: LogLine | undefined): LogLine {
  const line = `${dropped} lines of output were dropped: they came faster than they were read.`;
  return { atMs: next?.atMs ?? 0, source: 'bridge', level: 'warning', line };
}
