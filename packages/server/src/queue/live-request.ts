import type { Claim, NewRequest, RequestOptions } from './request-store.ts';

/** What the requests of one caller to one app have in common; many of them share one object. */
export interface RequestOrigin {
  /** Owner of the app. */
  accountId: string;
  /** `owner/app`. */
  appId: string;
  targetId: string;
  callerAccountId: string | null;
}

/** The latest attempt of a request. */
export interface LatestAttempt {
  /** Null once the attempt is over and the request waits again. */
  lease: string | null;
  runnerId: string | null;
  generation: string | null;
  startedAtMs: number | null;
}

/** What a request that waits for the first time needs; everything else has a default. */
export interface LiveRequestFacts {
  number: number;
  requestId: string;
  origin: RequestOrigin;
  priority: 'normal' | 'low';
  startDeadlineMs: number | null;
  submittedAtMs: number;
  options: RequestOptions;
}

const noOptions: RequestOptions = Object.freeze({});

/**
 * A request that has not ended. Times are wall-clock milliseconds. A million may wait at a time, so it is kept small: facts that
 * many share stand in one object, and those of an attempt take space once there is one.
 */
export class LiveRequest {
  /** Order of submission. */
  readonly number: number;
  readonly requestId: string;
  readonly origin: RequestOrigin;
  readonly priority: 'normal' | 'low';
  readonly startDeadlineMs: number | null;
  readonly submittedAtMs: number;
  options: RequestOptions;
  state: 'waiting' | 'running' = 'waiting';
  /** How often it was started. */
  attempts = 0;
  notBeforeMs = 0;
  cancelRequested = false;
  #latest: LatestAttempt | null = null;

  constructor(facts: LiveRequestFacts) {
    this.number = facts.number;
    this.requestId = facts.requestId;
    this.origin = facts.origin;
    this.priority = facts.priority;
    this.startDeadlineMs = facts.startDeadlineMs;
    this.submittedAtMs = facts.submittedAtMs;
    this.options = isEmpty(facts.options) ? noOptions : facts.options;
  }

  get accountId(): string {
    return this.origin.accountId;
  }
  get appId(): string {
    return this.origin.appId;
  }
  get targetId(): string {
    return this.origin.targetId;
  }
  get callerAccountId(): string | null {
    return this.origin.callerAccountId;
  }

  /** Of the attempt it is in; null while it waits. */
  get lease(): string | null {
    return this.#latest?.lease ?? null;
  }
  /** Of the latest attempt. */
  get runnerId(): string | null {
    return this.#latest?.runnerId ?? null;
  }
  /** Of whatever executes the latest attempt. */
  get generation(): string | null {
    return this.#latest?.generation ?? null;
  }
  /** When the latest attempt began. */
  get startedAtMs(): number | null {
    return this.#latest?.startedAtMs ?? null;
  }

  /** As the store has it, at a start. */
  restore(stored: { state: 'waiting' | 'running'; cancelRequested: boolean; latest: LatestAttempt }): this {
    this.state = stored.state;
    this.cancelRequested = stored.cancelRequested;
    if (stored.latest.lease !== null || stored.latest.runnerId !== null) this.#latest = stored.latest;
    return this;
  }

  /** An attempt begins. */
  begin({ lease, runnerId, generation, atMs }: Claim): void {
    this.state = 'running';
    this.#latest = { lease, runnerId, generation, startedAtMs: atMs };
    this.attempts += 1;
  }

  /** The attempt is over, the request is not. @param notBeforeMs 0: it may start again at once. */
  waitAgain(notBeforeMs: number): void {
    this.state = 'waiting';
    if (this.#latest !== null) this.#latest.lease = null;
    this.notBeforeMs = notBeforeMs;
  }
}

const isEmpty = (options: RequestOptions): boolean => {
  for (const _name in options) return false;
  return true;
};

/** Gives requests of one caller to one app, which come in a row, the same origin. */
export class RequestOrigins {
  /** The last one of each target. */
  readonly #byTarget = new Map<string, RequestOrigin>();

  of({ accountId, appId, targetId, callerAccountId }: RequestOrigin): RequestOrigin {
    const last = this.#byTarget.get(targetId);
    const isSame =
      last !== undefined &&
      last.callerAccountId === callerAccountId &&
      last.appId === appId &&
      last.accountId === accountId;
    if (isSame) return last;
    const origin = { accountId, appId, targetId, callerAccountId };
    if (this.#byTarget.size >= mostTargets) this.#byTarget.clear();
    this.#byTarget.set(targetId, origin);
    return origin;
  }
}

/** Sharing is only thrift: starting over costs nothing but memory. */
const mostTargets = 1_000;

/** A request that was just added. */
export function toWaiting(request: NewRequest, number: number, origins: RequestOrigins): LiveRequest {
  const { requestId, priority, startDeadlineMs, submittedAtMs, options } = request;
  const origin = origins.of(request);
  return new LiveRequest({ number, requestId, origin, priority, startDeadlineMs, submittedAtMs, options });
}
