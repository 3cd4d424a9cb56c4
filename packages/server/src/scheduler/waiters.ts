import { LannerError, type Clock, type Timer } from '@lanner/protocol';
import { LinkedList } from '../lib/linked-list.ts';
import type { SlotRequest } from './dispatcher.ts';
import type { RunnerSlot } from './slot.ts';

/** A request without a slot. It ends once: given a slot, failed, or abandoned by its caller. */
interface Waiter {
  request: SlotRequest;
  sinceMs: number;
  resolve(slot: RunnerSlot): void;
  reject(error: unknown): void;
}

/** Requests waiting for a slot, first come first served. Leaving the middle costs no more than leaving the front. */
export class Waiters {
  readonly #clock: Clock;
  readonly #onAbandoned: () => void;
  readonly #waiting = new LinkedList<Waiter>();

  /** @param onAbandoned a caller went away or ran out of time: demand fell. */
  constructor(clock: Clock, onAbandoned: () => void) {
    this.#clock = clock;
    this.#onAbandoned = onAbandoned;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** When each began to wait (monotonic), oldest first. */
  *sinceMs(): Generator<number> {
    for (const waiter of this.#waiting) yield waiter.sinceMs;
  }

  /** Rejects with `start_timeout` at the request's deadline and with the signal's reason when its caller goes away. */
  add(request: SlotRequest): Promise<RunnerSlot> {
    return new Promise<RunnerSlot>((resolve, reject) => {
      let timer: Timer | undefined;
      const settle = (): boolean => {
        if (!this.#waiting.delete(node)) return false;
        timer?.cancel();
        request.signal.removeEventListener('abort', onAbort);
        return true;
      };
      const onAbort = (): void => {
        if (!settle()) return;
        reject(request.signal.reason as Error);
        this.#onAbandoned();
      };
      const onDeadline = (): void => {
        if (!settle()) return;
        reject(startTimeout());
        this.#onAbandoned();
      };
      const waiter: Waiter = {
        request,
        sinceMs: this.#clock.monotonicMs(),
        resolve: (slot) => void (settle() && resolve(slot)),
        reject: (error) => void (settle() && reject(error)),
      };
      const node = this.#waiting.push(waiter);
      request.signal.addEventListener('abort', onAbort, { once: true });
      if (request.startDeadlineMs !== null) {
        timer = this.#clock.setTimer(request.startDeadlineMs - waiter.sinceMs, onDeadline);
      }
    });
  }

  /** The request whose turn it is. */
  peek(): SlotRequest | null {
    return this.#waiting.first?.request ?? null;
  }

  /** Gives the slot to the request whose turn it is. */
  give(slot: RunnerSlot): void {
    this.#waiting.first?.resolve(slot);
  }

  /** Tells every waiting request why no runner will come. */
  failAll(makeError: () => LannerError): void {
    for (const waiter of [...this.#waiting]) waiter.reject(makeError());
  }
}

/** The error of a request whose start deadline passed. */
export function startTimeout(): LannerError {
  return new LannerError('start_timeout', 'No runner took the request before its start deadline.');
}
