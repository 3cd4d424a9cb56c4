import type { AttemptSnapshot } from '@lanner/protocol';
import type { LiveRequest } from '../../queue/live-request.ts';

/** What the supervisor knows when a server starts, matched with the requests in the store. */
export class KnownAttempts {
  readonly #byId = new Map<string, AttemptSnapshot>();
  /** The latest of each request. */
  readonly #byRequest = new Map<number, AttemptSnapshot>();

  constructor(attempts: readonly AttemptSnapshot[]) {
    for (const attempt of attempts) {
      this.#byId.set(attempt.attemptId, attempt);
      const other = this.#byRequest.get(attempt.requestNumber);
      if (other === undefined || other.attemptNumber < attempt.attemptNumber) {
        this.#byRequest.set(attempt.requestNumber, attempt);
      }
    }
  }

  /**
   * The attempt that a request is in: the one the store names, or for a waiting request the very next one, which was ordered and
   * then not written down.
   */
  take({ state, number, lease, attempts }: LiveRequest): AttemptSnapshot | undefined {
    const latest = this.#byRequest.get(number);
    const isNext = latest?.attemptNumber === attempts + 1;
    const found = state === 'running' ? this.#byId.get(lease ?? '') : isNext ? latest : undefined;
    if (found !== undefined) this.#byId.delete(found.attemptId);
    return found;
  }

  /** Those that ended and that nobody took: their requests have ended, or gone on without them. */
  *finished(): Generator<string> {
    for (const { attemptId, outcome } of this.#byId.values()) if (outcome !== undefined) yield attemptId;
  }
}
