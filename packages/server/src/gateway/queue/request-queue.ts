import { LannerError, type SupervisorEvent } from '@lanner/protocol';
import type { Logger } from '../../observe/logger.ts';
import { findCollector } from '../../lib/collect-garbage.ts';
import { RequestOrigins, toWaiting, type LiveRequest } from '../../queue/live-request.ts';
import type { NewRequest } from '../../queue/request-store.ts';
import { AttemptsUnderWay } from './attempts-under-way.ts';
import { cancelled, startTimeout } from './attempt-ends.ts';
import { KnownAttempts } from './known-attempts.ts';
import { PersistentWrites } from './persistent-writes.ts';
import { RecentInputs } from './recent-inputs.ts';
import { RequestListeners } from './request-listeners.ts';
import type { RequestQueueDeps } from './request-queue-deps.ts';
import { sweepResults } from './sweep-results.ts';
import { toErrorResult } from './to-result.ts';
import { WaitingRequests } from './waiting-requests.ts';

const livePage = 5_000;
/** With that many taken up at a start, the garbage is worth a pause: 0.2 s for a million. */
const manyWaiting = 100_000;

export type CancelAnswer = 'CANCELLATION_REQUESTED' | 'ALREADY_COMPLETED';

/**
 * The queue at work: what waits (waiting-requests.ts), what runs (attempts-under-way.ts), and every way in and out. Memory
 * follows the store: nothing is told to anybody before it is durable.
 */
export class RequestQueue {
  readonly #deps: RequestQueueDeps;
  readonly #log: Logger;
  readonly #live = new Map<string, LiveRequest>();
  readonly #waiting: WaitingRequests;
  readonly #attempts: AttemptsUnderWay;
  readonly #writes: PersistentWrites;
  readonly #listeners = new RequestListeners();
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #inputs = new RecentInputs();
  readonly #origins = new RequestOrigins();
  /** Accepted and not yet durable, by target. */
  readonly #joining = new Map<string, number>();
  #early: SupervisorEvent[] | null = [];
  #stopped: Promise<void> | null = null;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(deps: RequestQueueDeps) {
    this.#log = deps.log.child({ component: 'queue' });
    this.#deps = { ...deps, log: this.#log };
    this.#writes = new PersistentWrites(deps.clock, this.#log, this.#stopping.signal);
    this.#waiting = new WaitingRequests(deps.dispatcher, deps.clock, {
      onSlot: (request, slot) => void this.#attempts.begin(request, slot, this.#inputs.take(request.requestId)),
      onRefused: (request, error) => void this.#endWaiting(request, error),
      onStartDeadline: (request) => void this.#endWaiting(request, startTimeout()),
    });
    const owner = {
      onStarted: (request: LiveRequest) => this.#listeners.tell(request.requestId),
      onEnded: (request: LiveRequest, status: number) => this.#onEnded(request, status),
      onPutOff: (request: LiveRequest, pauseMs: number) => this.#waiting.putOff(request, pauseMs),
      onWaitsAgain: (request: LiveRequest) => this.#onWaitsAgain(request),
    };
    this.#attempts = new AttemptsUnderWay(this.#deps, owner, this.#writes, this.#stopping.signal);
    this.#unsubscribe = deps.driver.onEvent((event) => {
      if (event.type !== 'attempt.finished' && event.type !== 'runner.exited') return;
      if (this.#early) this.#early.push(event);
      else this.#onEvent(event);
    });
  }

  /** Takes up what an earlier server left: waiting requests, running attempts, finished results. After the driver started. */
  async start(): Promise<{ waiting: number; running: number }> {
    const { driver, store } = this.#deps;
    const attempts = new KnownAttempts(await driver.listAttempts());
    const resumed: (() => void)[] = [];
    let after = 0;
    for (;;) {
      const page = await store.listLive(after, livePage);
      for (const request of page) this.#takeUp(request, attempts, resumed);
      if (page.length < livePage) break;
      after = page.at(-1)!.number;
    }
    const running = this.#attempts.size;
    const counts = { waiting: this.#live.size - running, running };
    const early = this.#early ?? [];
    this.#early = null;
    // What is left belongs to requests that have ended.
    for (const attemptId of attempts.finished()) this.#attempts.forget(attemptId);
    for (const event of early) this.#onEvent(event);
    for (const resume of resumed) resume();
    this.#waiting.pump();
    // What was read stays behind as garbage of half its size, which V8 would not hurry to collect.
    if (counts.waiting >= manyWaiting) findCollector()('all');
    this.#sweeping = sweepResults(this.#deps, this.#stopping.signal);
    return counts;
  }

  #takeUp(request: LiveRequest, attempts: KnownAttempts, resumed: (() => void)[]): void {
    this.#live.set(request.requestId, request);
    const known = attempts.take(request);
    if (request.state === 'waiting' && known === undefined) return this.#waiting.join(request);
    const resume =
      request.state === 'waiting' ? this.#attempts.adopt(request, known!) : this.#attempts.resume(request, known);
    if (resume !== null) resumed.push(resume);
  }

  /**
   * No more submits and attempts, streams end; waits up to `graceMs` for attempts under way. What is left goes on, or is
   * repeated by the next server. Idempotent.
   */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#shutDown(graceMs);
    return this.#stopped;
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#waiting.stopAsking();
    // The promise of this very call says that the queue stops.
    await Promise.resolve();
    this.#listeners.tellAll();
    await this.#attempts.waitUntilIdle(graceMs);
    this.#stopping.abort(new LannerError('shutting_down', 'The server is stopping.'));
    this.#waiting.stop();
    this.#unsubscribe();
    await this.#sweeping;
  }

  /** Nothing is accepted any more. */
  get isStopping(): boolean {
    return this.#stopped !== null;
  }

  /**
   * Stores a request; resolves once it is durable, with the number of those ahead.
   * @throws LannerError `too_many_requests` when more than `maxQueueLength` wait already.
   */
  async submit(request: NewRequest, maxQueueLength: number | null): Promise<{ position: number }> {
    if (this.isStopping) throw new LannerError('shutting_down', 'The server is stopping. Try again in a moment.');
    const { targetId } = request;
    const joining = this.#joining.get(targetId) ?? 0;
    if (maxQueueLength !== null && this.size(targetId) + joining > maxQueueLength) {
      throw new LannerError(
        'too_many_requests',
        `More than ${maxQueueLength} requests wait for this app already (fal_max_queue_length).`,
      );
    }
    this.#joining.set(targetId, joining + 1);
    let number: number;
    try {
      number = await this.#deps.store.add(request);
    } finally {
      const left = this.#joining.get(targetId)! - 1;
      if (left === 0) this.#joining.delete(targetId);
      else this.#joining.set(targetId, left);
    }
    const live = toWaiting(request, number, this.#origins);
    this.#live.set(live.requestId, live);
    this.#inputs.keep(live.requestId, request.input);
    this.#waiting.join(live);
    const position = this.#waiting.position(live);
    this.#waiting.pump(targetId);
    return { position };
  }

  /** A request that has not ended. */
  find(requestId: string): LiveRequest | null {
    return this.#live.get(requestId) ?? null;
  }

  /** How many are ahead of a waiting request. */
  position(request: LiveRequest): number {
    return this.#waiting.position(request);
  }

  /** How many wait for a target. */
  size(targetId: string): number {
    return this.#waiting.size(targetId);
  }

  /** Those that wait for a target, in order. */
  waiting(targetId: string): Iterable<LiveRequest> {
    return this.#waiting.inLine(targetId);
  }

  /** What waits and what runs, app by app; an app may come more than once. */
  *overview(): Generator<{ appId: string; waiting: number; oldestSubmittedAtMs: number | null; running: number }> {
    for (const { size, oldest } of this.#waiting.overview()) {
      yield { appId: oldest.appId, waiting: size, oldestSubmittedAtMs: oldest.submittedAtMs, running: 0 };
    }
    for (const { appId } of this.#attempts.requests()) {
      yield { appId, waiting: 0, oldestSubmittedAtMs: null, running: 1 };
    }
  }

  /** Calls back after every change of a request, and when the queue stops. */
  observe(requestId: string, listener: () => void): () => void {
    return this.#listeners.add(requestId, listener);
  }

  /** A waiting request ends without running; a running one is asked to, through the app's own cancel endpoint. */
  async cancel(request: LiveRequest): Promise<CancelAnswer> {
    if (this.#live.get(request.requestId) !== request) return 'ALREADY_COMPLETED';
    let isDone: boolean;
    if (request.state === 'waiting') {
      this.#waiting.remove(request);
      isDone = await this.#endWaiting(request, cancelled());
    } else isDone = await this.#attempts.cancel(request);
    return isDone ? 'CANCELLATION_REQUESTED' : 'ALREADY_COMPLETED';
  }

  #onEvent(event: SupervisorEvent): void {
    if (event.type === 'attempt.finished') this.#attempts.onFinished(event.attemptId, event.outcome);
    else if (event.type === 'runner.exited') this.#attempts.onRunnerExited(event.runnerId);
  }

  #onWaitsAgain(request: LiveRequest): void {
    this.#waiting.join(request);
    this.#waiting.pump(request.targetId);
    this.#listeners.tell(request.requestId);
    // Asked for in the meantime: what waits can be ended right here.
    if (request.cancelRequested) void this.cancel(request);
  }

  async #endWaiting(request: LiveRequest, error: LannerError): Promise<boolean> {
    const { store, clock } = this.#deps;
    // From here on nobody else may take it up.
    request.state = 'running';
    let ended = false;
    const stored = await this.#writes.persist(request.requestId, async () => {
      const result = toErrorResult(error, request.requestId, clock.nowMs());
      ended = await store.finishWaiting(request.number, result);
    });
    if (!stored) return false;
    this.#onEnded(request, error.entry.httpStatus);
    return ended;
  }

  #onEnded(request: LiveRequest, status: number): void {
    this.#deps.observer?.requestEnded(request.appId, status);
    this.#live.delete(request.requestId);
    this.#listeners.tell(request.requestId);
    this.#deps.onEnded?.(request);
  }
}
