import type { Clock, Timer } from '@lanner/protocol';

/** One timer for many moments: rings at the earliest that was asked for; the others are asked for again then. */
export class EarliestTimer {
  readonly #clock: Clock;
  readonly #onRing: () => void;
  #timer: { handle: Timer; atMs: number } | null = null;

  constructor(clock: Clock, onRing: () => void) {
    this.#clock = clock;
    this.#onRing = onRing;
  }

  /** @param atMs monotonic. */
  wakeAt(atMs: number): void {
    if (this.#timer && this.#timer.atMs <= atMs) return;
    this.cancel();
    const handle = this.#clock.setTimer(atMs - this.#clock.monotonicMs(), () => {
      this.#timer = null;
      this.#onRing();
    });
    this.#timer = { handle, atMs };
  }

  cancel(): void {
    this.#timer?.handle.cancel();
    this.#timer = null;
  }
}
