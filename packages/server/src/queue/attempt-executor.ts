import type { AttemptOutcome } from '@lanner/protocol';
import type { LiveRequest } from './live-request.ts';
import type { StoredInput } from './request-store.ts';

/** Runner id of attempts that the server executes itself. No runner has it: theirs are UUIDs. */
export const localRunnerId = 'server';

/** An attempt that the server executes itself. */
export interface LocalAttempt {
  attemptId: string;
  request: LiveRequest;
  input: StoredInput;
  timeoutMs: number;
}

/**
 * Executes attempts inside the server, for what has no runner. What it has not ended when the server goes is begun again by the
 * next one, under another attempt id and with the same request: whatever it did must be found again by the request's id.
 */
export interface AttemptExecutor {
  /** @param onEnd called once, unless the server stops. A body comes with its outcome, however large. */
  start(attempt: LocalAttempt, onEnd: (outcome: AttemptOutcome) => void): void;
  /** Asks an attempt to end. Nothing happens to one that is over. */
  cancel(attemptId: string): void;
}
