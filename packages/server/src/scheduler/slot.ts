import type { Slot, SlotOutcome } from './dispatcher.ts';
import type { Lease, Runner } from './runner.ts';

/**
 * `pending`: given to a waiting caller who has not seen it yet. `dispatched`: the caller has it. `released`: given back.
 *
 *     pending → dispatched → released
 *        └──────(abandoned)─────┘
 */
export type SlotState = 'pending' | 'dispatched' | 'released';

/** One place on one runner. Whatever happens, it is given back once: every change of state is a compare-and-set. */
export class RunnerSlot implements Slot {
  readonly runnerId: string;
  readonly host: string;
  readonly port: number;
  readonly #runner: Runner;
  readonly #lease: Lease;
  readonly #onReleased: (runner: Runner, lease: Lease, outcome: SlotOutcome) => void;
  #state: SlotState = 'pending';

  /** @param onReleased ends the lease. */
  constructor(runner: Runner, lease: Lease, onReleased: (runner: Runner, lease: Lease, outcome: SlotOutcome) => void) {
    this.runnerId = runner.identity.runnerId;
    this.host = runner.host ?? '127.0.0.1';
    this.port = runner.identity.port ?? 0;
    this.#runner = runner;
    this.#lease = lease;
    this.#onReleased = onReleased;
    runner.leases.add(lease);
  }

  get state(): SlotState {
    return this.#state;
  }

  /** @returns false when it was given back before the caller could take it. */
  dispatch(): boolean {
    if (this.#state !== 'pending') return false;
    this.#state = 'dispatched';
    return true;
  }

  /** Gives the place back. Every call but the first does nothing. */
  release(outcome: SlotOutcome): void {
    if (this.#state === 'released') return;
    this.#state = 'released';
    this.#onReleased(this.#runner, this.#lease, outcome);
  }
}
