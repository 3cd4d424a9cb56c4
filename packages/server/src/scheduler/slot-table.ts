import type { Clock } from '@lanner/protocol';
import type { SlotOutcome, SlotRequest } from './dispatcher.ts';
import { RoutingHints } from './routing-hints.ts';
import type { Lease, Runner } from './runner.ts';
import { RunnerSlot } from './slot.ts';
import { startTimeout, Waiters } from './waiters.ts';

/** What a slot table tells its owner. */
export interface SlotTableOwner {
  /** A request began to wait, or stopped waiting without a slot. */
  onDemandChanged(): void;
  /** A slot came back. The runner may have left the table meanwhile. */
  onReleased(runner: Runner, outcome: SlotOutcome): void;
}

/**
 * The ready runners of one target and the requests waiting for them. Knows nothing of scaling. Finding a free slot, giving
 * one back and handing it on take constant time, however many runners or waiting requests there are.
 */
export class SlotTable {
  readonly #clock: Clock;
  readonly #owner: SlotTableOwner;
  readonly #waiters: Waiters;
  readonly #hints = new RoutingHints();
  readonly #members = new Set<Runner>();
  /** Members with room, the one whose turn it is first (round-robin). */
  readonly #free = new Set<Runner>();
  /** Members without work, longest idle first. */
  readonly #idle = new Set<Runner>();
  #inFlight = 0;

  constructor(clock: Clock, owner: SlotTableOwner) {
    this.#clock = clock;
    this.#owner = owner;
    this.#waiters = new Waiters(clock, () => owner.onDemandChanged());
  }

  get waiters(): Waiters {
    return this.#waiters;
  }

  /** Requests on the members. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get size(): number {
    return this.#members.size;
  }

  get idleCount(): number {
    return this.#idle.size;
  }

  get members(): ReadonlySet<Runner> {
    return this.#members;
  }

  get idle(): ReadonlySet<Runner> {
    return this.#idle;
  }

  /**
   * A slot at once, or after waiting in line. A free slot costs no timer, no listener and one microtask.
   * Rejects with `start_timeout`, the signal's reason, or what the owner fails the waiting requests with.
   */
  acquire(request: SlotRequest): Promise<RunnerSlot> {
    if (request.signal.aborted) return Promise.reject(request.signal.reason as Error);
    // Nobody may overtake those who wait.
    const runner = this.#waiters.size === 0 ? this.#choose(request.hint) : null;
    if (runner) {
      const slot = this.#occupy(runner, request);
      slot.dispatch();
      return Promise.resolve(slot);
    }
    if (request.startDeadlineMs !== null && request.startDeadlineMs <= this.#clock.monotonicMs()) {
      return Promise.reject(startTimeout());
    }
    const waiting = this.#waitFor(request);
    this.#owner.onDemandChanged();
    return waiting;
  }

  /** Takes a ready runner into service; waiting requests get its slots at once. */
  add(runner: Runner): void {
    this.#members.add(runner);
    this.#inFlight += runner.inFlight;
    this.#hints.publish(runner, runner.hints);
    if (runner.inFlight === 0) this.#idle.add(runner);
    this.#serveWaiting(runner);
  }

  /** No new work for this runner; its present slots stay valid. @returns false when it was not a member. */
  remove(runner: Runner): boolean {
    if (!this.#members.delete(runner)) return false;
    this.#inFlight -= runner.inFlight;
    this.#free.delete(runner);
    this.#idle.delete(runner);
    this.#hints.forget(runner);
    return true;
  }

  /** Takes over another `max_multiplexing`. */
  setCapacity(capacity: number): void {
    for (const runner of this.#members) {
      runner.capacity = capacity;
      this.#serveWaiting(runner);
    }
  }

  async #waitFor(request: SlotRequest): Promise<RunnerSlot> {
    const slot = await this.#waiters.add(request);
    if (request.signal.aborted) {
      // The caller left between being given the slot and seeing it.
      slot.release({ kind: 'abandoned' });
      throw request.signal.reason as Error;
    }
    slot.dispatch();
    return slot;
  }

  /** The place of a request that runs already, whether or not the runner has room. */
  reclaim(runner: Runner, request: SlotRequest): RunnerSlot {
    const slot = this.#occupy(runner, request);
    slot.dispatch();
    return slot;
  }

  #choose(hint: string | undefined): Runner | null {
    if (hint !== undefined) {
      const match = this.#hints.find(hint, this.#free);
      if (match) return match;
    }
    for (const runner of this.#free) return runner;
    return null;
  }

  #occupy(runner: Runner, request: SlotRequest): RunnerSlot {
    const lease = { caller: request.caller, leasedAtMs: this.#clock.nowMs() };
    const slot = new RunnerSlot(runner, lease, this.#onReleased);
    runner.hadWork = true;
    // A reclaimed place may be on a runner that is not in service.
    if (!this.#members.has(runner)) return slot;
    this.#inFlight += 1;
    this.#idle.delete(runner);
    // Leaving and coming back puts it at the end: round-robin.
    this.#free.delete(runner);
    if (runner.inFlight < runner.capacity) this.#free.add(runner);
    if (request.hint !== undefined) this.#hints.served(request.hint, runner);
    return slot;
  }

  readonly #onReleased = (runner: Runner, lease: Lease, outcome: SlotOutcome): void => {
    runner.endLease(lease, this.#clock.nowMs());
    if (outcome.kind !== 'abandoned') runner.everServed = true;
    if (this.#members.has(runner)) {
      this.#inFlight -= 1;
      if (outcome.kind === 'done' && outcome.hints) {
        runner.hints = outcome.hints;
        this.#hints.publish(runner, outcome.hints);
      }
      if (runner.inFlight === 0) {
        runner.idleSinceMs = this.#clock.monotonicMs();
        this.#idle.add(runner);
      }
      // A runner that is about to be replaced must not get the next request.
      if (outcome.kind !== 'terminate' && outcome.kind !== 'connection-failed') this.#serveWaiting(runner);
    }
    this.#owner.onReleased(runner, outcome);
  };

  #serveWaiting(runner: Runner): void {
    while (runner.inFlight < runner.capacity) {
      const request = this.#waiters.peek();
      if (!request) break;
      this.#waiters.give(this.#occupy(runner, request));
    }
    if (runner.inFlight < runner.capacity) this.#free.add(runner);
    else this.#free.delete(runner);
  }
}
