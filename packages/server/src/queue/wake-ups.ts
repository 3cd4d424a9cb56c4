import type { Clock, Timer } from '@lanner/protocol';

interface WakeUp<Item> {
  atMs: number;
  item: Item;
}

/**
 * Moments (wall clock) at which something is to be looked at again: one timer for all, however many there are. What is no
 * longer of interest then is for the listener to see.
 */
export class WakeUps<Item> {
  readonly #clock: Clock;
  readonly #onDue: (item: Item) => void;
  /** Binary heap, earliest first. */
  readonly #heap: WakeUp<Item>[] = [];
  #timer: { handle: Timer; atMs: number } | null = null;

  constructor(clock: Clock, onDue: (item: Item) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(atMs: number, item: Item): void {
    const heap = this.#heap;
    let at = heap.push({ atMs, item }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.atMs <= heap[at]!.atMs) break;
      swap(heap, parent, at);
      at = parent;
    }
    this.#arm();
  }

  stop(): void {
    this.#timer?.handle.cancel();
    this.#timer = null;
    this.#heap.length = 0;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || (this.#timer !== null && this.#timer.atMs <= first.atMs)) return;
    this.#timer?.handle.cancel();
    const handle = this.#clock.setTimer(Math.max(0, first.atMs - this.#clock.nowMs()), () => this.#ring());
    this.#timer = { handle, atMs: first.atMs };
  }

  #ring(): void {
    this.#timer = null;
    const nowMs = this.#clock.nowMs();
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; first = this.#heap[0]) {
      this.#removeFirst();
      this.#onDue(first.item);
    }
    this.#arm();
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child]!.atMs < heap[least]!.atMs) least = child;
      }
      if (least === at) return;
      swap(heap, least, at);
      at = least;
    }
  }
}

function swap<T>(list: T[], a: number, b: number): void {
  [list[a], list[b]] = [list[b]!, list[a]!];
}
