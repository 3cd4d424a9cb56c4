import type { SlotOutcome } from '../scheduler/dispatcher.ts';
import type { RunnerVerdict } from './caller-response-headers.ts';

/** What a complete answer means for its runner (platform-semantics 5.4). */
export function decideSlotOutcome(status: number, { stopRunner, hints }: RunnerVerdict): SlotOutcome {
  if (stopRunner === true) return { kind: 'terminate', reason: 'the app asked for it with x-fal-stop-runner' };
  if (stopRunner === null) {
    if (status === 503) return { kind: 'terminate', reason: 'the app answered 503' };
    if (status === 500 || status === 502 || status === 504) return { kind: 'check' };
  }
  return hints === null ? { kind: 'done' } : { kind: 'done', hints };
}
