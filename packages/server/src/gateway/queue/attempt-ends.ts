import { LannerError, type AttemptFailure, type AttemptOutcome, type Clock } from '@lanner/protocol';
import type { SlotOutcome } from '../../scheduler/dispatcher.ts';
import { readVerdict } from '../caller-response-headers.ts';
import { decideSlotOutcome } from '../decide-slot-outcome.ts';

/** What the end of an attempt means for its runner. */
export function toSlotOutcome(outcome: AttemptOutcome): SlotOutcome {
  if (outcome.kind === 'answered') return decideSlotOutcome(outcome.status, readVerdict(outcome.headers));
  if (outcome.failure === 'timeout') return { kind: 'terminate', reason: 'request_timeout exceeded' };
  return outcome.failure === 'bad-request' ? { kind: 'done' } : { kind: 'connection-failed' };
}

/** The end of an attempt that nobody can tell more about. */
export function failed(failure: AttemptFailure, clock: Clock): AttemptOutcome {
  return { kind: 'failed', failure, startedAtMs: clock.nowMs(), durationMs: 0 };
}

/** The end of a request that its caller took back. */
export function cancelled(): LannerError {
  return new LannerError('client_cancelled', 'The request was cancelled.');
}

/** The end of a request whose start deadline passed. */
export function startTimeout(): LannerError {
  return new LannerError('start_timeout', 'No runner took the request before its start deadline.');
}

/** The end of a request that met a defect. */
export function internal(): LannerError {
  return new LannerError(
    'internal_error',
    'The request could not be handed to a runner. The server log has the details.',
  );
}
