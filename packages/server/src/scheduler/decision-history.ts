import type { Decision } from './decide.ts';

/** A decision that did something, as `explain` shows it. */
export interface RecordedDecision extends Omit<Decision, 'nextChangeAtMs' | 'hopeless'> {
  /** Wall clock. */
  atMs: number;
  inFlight: number;
  waiting: number;
}

const keptDecisions = 50;

/** The last decisions of one pool that started, stopped or held something. */
export class DecisionHistory {
  #records: RecordedDecision[] = [];
  #lastHeld = '';

  /** Decisions that change nothing leave no trace. */
  record(atMs: number, decision: Decision, inFlight: number, waiting: number): void {
    const held = decision.held ? `${decision.held.cause} ${decision.held.count} ${decision.held.untilMs}` : '';
    if (decision.actions.length === 0 && held === this.#lastHeld) return;
    this.#lastHeld = held;
    const { nextChangeAtMs: _next, hopeless: _hopeless, ...rest } = decision;
    this.#records.push({ ...rest, atMs, inFlight, waiting });
    if (this.#records.length > keptDecisions) this.#records.shift();
  }

  /** Oldest first. */
  list(): RecordedDecision[] {
    return [...this.#records];
  }
}
