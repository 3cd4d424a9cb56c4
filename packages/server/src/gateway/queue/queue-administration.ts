import type { RequestQueue } from './request-queue.ts';

/** Requests cancelled at a time, so that others go on in between. */
const flushStep = 200;

/** Looking at the waiting requests of an app as a whole (data-plane 3.9). */
export function createQueueAdministration(queue: RequestQueue): {
  /** All told and by caller; anonymous ones under the empty name. */
  count(targetId: string): { size: number; byCaller: Record<string, number> };
  /** Cancels them, of all callers or one; resolves with how many. */
  flush(targetId: string, callerAccountId: string | null): Promise<number>;
} {
  return {
    count(targetId) {
      const byCaller: Record<string, number> = {};
      for (const { callerAccountId } of queue.waiting(targetId)) {
        byCaller[callerAccountId ?? ''] = (byCaller[callerAccountId ?? ''] ?? 0) + 1;
      }
      return { size: queue.size(targetId), byCaller };
    },
    async flush(targetId, callerAccountId) {
      const chosen = [...queue.waiting(targetId)].filter(
        (request) => callerAccountId === null || request.callerAccountId === callerAccountId,
      );
      let flushed = 0;
      for (let at = 0; at < chosen.length; at += flushStep) {
        const step = chosen.slice(at, at + flushStep).filter((request) => request.state === 'waiting');
        const answers = await Promise.all(step.map((request) => queue.cancel(request)));
        flushed += answers.filter((answer) => answer === 'CANCELLATION_REQUESTED').length;
      }
      return flushed;
    },
  };
}
