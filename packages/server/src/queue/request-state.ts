/**
 * The life of a queued request. Every arrow is one guarded statement of the store (request-store.ts), and those that leave
 * `running` name the lease of the latest attempt: nobody else can end it.
 *
 * ```
 *              claim (new lease)
 *  ──> waiting ────────────────> running ──┐ requestCancel (stays running, the app is asked)
 *        │  ^                      │  │  ^─┘
 *        │  └──────────────────────┘  │
 *        │      requeue (lease)       │
 *        │                            │ finish (lease)
 *        └──────────> ended <─────────┘
 *         finishWaiting
 *         (cancelled, start deadline, no runner can come)
 * ```
 *
 * Callers see `waiting` as IN_QUEUE, `running` as IN_PROGRESS and `ended` as COMPLETED, however it ended.
 */
export type RequestState = 'waiting' | 'running' | 'ended';

/** What moves a request. */
export type RequestEvent = 'claim' | 'requeue' | 'finish' | 'finishWaiting' | 'requestCancel';

const transitions: Record<RequestEvent, { from: RequestState; to: RequestState; needsLease: boolean }> = {
  claim: { from: 'waiting', to: 'running', needsLease: false },
  requeue: { from: 'running', to: 'waiting', needsLease: true },
  finish: { from: 'running', to: 'ended', needsLease: true },
  finishWaiting: { from: 'waiting', to: 'ended', needsLease: false },
  requestCancel: { from: 'running', to: 'running', needsLease: false },
};

/** The state after an event, or null when the event does not apply. */
export function nextState(
  state: RequestState,
  event: RequestEvent,
  lease?: { held: string | null; presented: string },
): RequestState | null {
  const { from, to, needsLease } = transitions[event];
  if (state !== from) return null;
  if (needsLease && (lease === undefined || lease.held === null || lease.held !== lease.presented)) return null;
  return to;
}

/** As callers see it (data-plane 3.3). */
export const publicStatus: Record<RequestState, 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED'> = {
  waiting: 'IN_QUEUE',
  running: 'IN_PROGRESS',
  ended: 'COMPLETED',
};
