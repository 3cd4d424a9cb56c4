import type { Clock, Timer } from '@lanner/protocol';

/** Something that wants to be looked at now and then. */
export interface Ticked {
  tick(isPing: boolean): void;
}

const tickMs = 1_000;
const ticksPerPing = 15;

/** One timer for all open status streams: positions are looked at every second, silent connections get a sign of life. */
export class StreamTicker {
  readonly #clock: Clock;
  readonly #streams = new Set<Ticked>();
  #timer: Timer | null = null;
  #ticks = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(stream: Ticked): () => void {
    this.#streams.add(stream);
    this.#arm();
    return () => void this.#streams.delete(stream);
  }

  #arm(): void {
    if (this.#timer !== null || this.#streams.size === 0) return;
    this.#timer = this.#clock.setTimer(tickMs, () => {
      this.#timer = null;
      this.#ticks += 1;
      const isPing = this.#ticks % ticksPerPing === 0;
      for (const stream of [...this.#streams]) stream.tick(isPing);
      this.#arm();
    });
  }
}
