/** One receiver at work: how much of it is under way, and when to look at it again. */
export class ReceiverQueue {
  readonly name: string;
  /** Numbers of deliveries under way. */
  readonly underWay: Set<number> = new Set();
  /** The outbox is being read for it; `isStale`: and has changed meanwhile. */
  isReading = false;
  isStale = false;
  /** Moment of the wake-up that is set; null: none. */
  wakeAtMs: number | null = null;
  #failuresInARow = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** A receiver that does not answer ties up connections until their time is over: it gets few. */
  limit(most: number): number {
    return this.#failuresInARow >= patience ? Math.min(deadLimit, most) : most;
  }

  note(didAnswer: boolean): void {
    this.#failuresInARow = didAnswer ? 0 : this.#failuresInARow + 1;
  }
}

const patience = 4;
const deadLimit = 2;
