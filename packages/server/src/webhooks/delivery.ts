/** One webhook on its way: a request that ended, and the URL that is to hear of it. Times are wall-clock milliseconds. */
export interface Delivery {
  /** Order of creation. */
  number: number;
  requestId: string;
  /** The submitter; for an anonymous one the app's owner. Only it sees the delivery. */
  accountId: string;
  /** `owner/app`. */
  appId: string;
  /** Of the last attempt at the app. */
  gatewayRequestId: string;
  url: string;
  /** `host:port` of the URL. */
  receiver: string;
  /** `pending` until it is accepted, or given up. */
  state: 'pending' | 'delivered' | 'failed';
  attempts: number;
  /** Those before the latest replay. */
  attemptsBefore: number;
  nextAttemptAtMs: number;
  /** When it was created or replayed. */
  begunAtMs: number;
  createdAtMs: number;
  endedAtMs: number | null;
}

/** One try. */
export interface DeliveryAttempt {
  /** From 1 on. */
  attempt: number;
  startedAtMs: number;
  durationMs: number;
  /** Null: no answer came. */
  status: number | null;
  /** Short code, e.g. `timeout`; null when it was accepted. */
  error: string | null;
}

/** What follows an attempt. */
export type NextStep = { state: 'delivered' | 'failed' } | { state: 'pending'; nextAttemptAtMs: number };
