import type { Clock } from '@lanner/protocol';
import type { Logger } from '../../observe/logger.ts';

const storeRetryMs = 1_000;

/** Writes that must happen: what an app has answered cannot be asked for again. */
export class PersistentWrites {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #failing = 0;

  /** @param signal nothing is tried again any more. */
  constructor(clock: Clock, log: Logger, signal: AbortSignal) {
    this.#clock = clock;
    this.#log = log;
    this.#signal = signal;
  }

  /** Some write has failed and is being tried again. */
  get areFailing(): boolean {
    return this.#failing > 0;
  }

  /** Repeats a write until it succeeds; false when the signal fires before. */
  async persist(requestId: string, write: () => Promise<unknown>): Promise<boolean> {
    let isFailing = false;
    try {
      for (;;) {
        try {
          await write();
          return true;
        } catch (error) {
          if (this.#signal.aborted) return false;
          if (!isFailing) this.#failing += 1;
          isFailing = true;
          this.#log.error({ err: error, requestId }, 'the queue could not be written; it is tried again');
          await this.#clock.sleep(storeRetryMs, this.#signal).catch(() => undefined);
          if (this.#signal.aborted) return false;
        }
      }
    } finally {
      if (isFailing) this.#failing -= 1;
    }
  }
}
