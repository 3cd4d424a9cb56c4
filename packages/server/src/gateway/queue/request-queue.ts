import { randomUUID } from 'node:crypto';
import { isLannerError, LannerError, type AttemptOutcome, type SupervisorEvent } from '@lanner/protocol';
import type { Logger } from '../../observe/logger.ts';
import { toWaiting, type LiveRequest, type NewRequest, type StoredInput } from '../../queue/request-store.ts';
import { decideRetry, retryDelayMs } from '../../queue/retry-policy.ts';
import { WakeUps } from '../../queue/wake-ups.ts';
import type { Slot, SlotOutcome } from '../../scheduler/dispatcher.ts';
import { readSwitch } from '../caller-response-headers.ts';
import { cancelOnRunner } from '../cancel-on-runner.ts';
import { cancelled, failed, startTimeout, toSlotOutcome } from './attempt-ends.ts';
import { orderAttempt } from './order-attempt.ts';
import { readAnswer } from './read-answer.ts';
import { RequestListeners } from './request-listeners.ts';
import type { RequestQueueDeps } from './request-queue-deps.ts';
import { sweepResults } from './sweep-results.ts';
import { TargetLine } from './target-line.ts';
import { toAttemptError, toErrorResult } from './to-result.ts';

/** An attempt under way. `slot` is null for one whose runner was not taken over. */
interface Running {
  request: LiveRequest;
  slot: Slot | null;
  /** The supervisor has it. */
  isSent: boolean;
  isEnding: boolean;
}

/** How long the end of an attempt may lag behind the end of its runner. */
const afterExitMs = 2_000;
/** The scheduler needs a moment to hear of it, too. */
const runnerGoneMs = 200;
const storeRetryMs = 1_000;
const livePage = 5_000;
const cancelTimeoutMs = 5_000;

export type CancelAnswer = 'CANCELLATION_REQUESTED' | 'ALREADY_COMPLETED';

/**
 * The queue at work: what waits, what runs, and every way a request moves (queue/request-state.ts). Memory follows the store:
 * nothing is told to anybody before it is durable.
 */
export class RequestQueue {
  readonly #deps: RequestQueueDeps;
  readonly #log: Logger;
  readonly #live = new Map<string, LiveRequest>();
  readonly #lines = new Map<string, TargetLine>();
  /** By lease. */
  readonly #running = new Map<string, Running>();
  readonly #listeners = new RequestListeners();
  readonly #wakeUps: WakeUps<LiveRequest>;
  readonly #stopping = new AbortController();
  readonly #unsubscribe: () => void;
  /** Accepted and not yet durable, by target. */
  readonly #joining = new Map<string, number>();
  #early: SupervisorEvent[] | null = [];
  #onIdle: (() => void) | null = null;
  #stopped: Promise<void> | null = null;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(deps: RequestQueueDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ component: 'queue' });
    this.#wakeUps = new WakeUps(deps.clock, (request) => this.#onWakeUp(request));
    this.#unsubscribe = deps.driver.onEvent((event) => {
      if (event.type !== 'attempt.finished' && event.type !== 'runner.exited') return;
      if (this.#early) this.#early.push(event);
      else this.#onEvent(event);
    });
  }

  /** Takes up what an earlier server left: waiting requests, running attempts, finished results. After the driver started. */
  async start(): Promise<{ waiting: number; running: number }> {
    const { driver, store } = this.#deps;
    const attempts = new Map((await driver.listAttempts()).map((attempt) => [attempt.attemptId, attempt]));
    const resumed: (() => void)[] = [];
    let after = 0;
    for (;;) {
      const page = await store.listLive(after, livePage);
      for (const request of page) {
        this.#live.set(request.requestId, request);
        if (request.state === 'waiting') {
          if (request.startDeadlineMs !== null) this.#wakeUps.add(request.startDeadlineMs, request);
          if (request.notBeforeMs > 0) this.#wakeUps.add(request.notBeforeMs, request);
          if (request.notBeforeMs <= this.#deps.clock.nowMs()) this.#lineOf(request.targetId).waiting.add(request);
          continue;
        }
        const lease = request.lease ?? '';
        const attempt = attempts.get(lease);
        const slot =
          attempt === undefined || request.runnerId === null
            ? null
            : this.#deps.dispatcher.reclaim(request.runnerId, {
                requestId: request.requestId,
                accountId: request.callerAccountId,
              });
        const running: Running = { request, slot, isSent: attempt !== undefined, isEnding: false };
        this.#running.set(lease, running);
        if (attempt?.outcome !== undefined) resumed.push(() => void this.#end(lease, attempt.outcome!));
        else if (attempt === undefined && request.generation === driver.generation) {
          // The server died between its note and the order: nothing was sent.
          resumed.push(() => void this.#putBack(running, { delayMs: 0 }));
        } else if (attempt === undefined)
          resumed.push(() => void this.#end(lease, failed('disconnected', this.#deps.clock)));
      }
      if (page.length < livePage) break;
      after = page.at(-1)!.number;
    }
    const counts = { waiting: this.#live.size - this.#running.size, running: this.#running.size };
    const early = this.#early ?? [];
    this.#early = null;
    for (const [attemptId, attempt] of attempts) {
      if (attempt.outcome !== undefined && !this.#running.has(attemptId)) this.#forget(attemptId);
    }
    for (const event of early) this.#onEvent(event);
    for (const resume of resumed) resume();
    for (const line of this.#lines.values()) line.pump();
    this.#sweeping = sweepResults(this.#deps, this.#stopping.signal);
    return counts;
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
    for (const line of this.#lines.values()) line.stop();
    // The promise of this very call says that the queue stops.
    await Promise.resolve();
    this.#listeners.tellAll();
    if (this.#running.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#deps.clock.setTimer(graceMs, resolve);
        this.#onIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#stopping.abort(new LannerError('shutting_down', 'The server is stopping.'));
    this.#wakeUps.stop();
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
    const live = toWaiting(request, number);
    const { requestId, startDeadlineMs } = live;
    this.#live.set(requestId, live);
    if (startDeadlineMs !== null) this.#wakeUps.add(startDeadlineMs, live);
    const line = this.#lineOf(targetId);
    line.waiting.add(live);
    const position = line.waiting.position(live);
    line.pump();
    return { position };
  }

  /** A request that has not ended. */
  find(requestId: string): LiveRequest | null {
    return this.#live.get(requestId) ?? null;
  }

  /** How many are ahead of a waiting request. */
  position(request: LiveRequest): number {
    return this.#lines.get(request.targetId)?.waiting.position(request) ?? 0;
  }

  /** How many wait for a target. */
  size(targetId: string): number {
    return this.#lines.get(targetId)?.waiting.size ?? 0;
  }

  /** Those that wait for a target, in order. */
  waiting(targetId: string): Iterable<LiveRequest> {
    return this.#lines.get(targetId)?.waiting ?? [];
  }

  /** Calls back after every change of a request, and when the queue stops. */
  observe(requestId: string, listener: () => void): () => void {
    return this.#listeners.add(requestId, listener);
  }

  /** A waiting request ends without running; a running one is asked to, through the app's own cancel endpoint. */
  async cancel(request: LiveRequest): Promise<CancelAnswer> {
    if (this.#live.get(request.requestId) !== request) return 'ALREADY_COMPLETED';
    if (request.state === 'waiting') {
      this.#lines.get(request.targetId)?.remove(request);
      const ended = await this.#endWaiting(request, cancelled());
      return ended ? 'CANCELLATION_REQUESTED' : 'ALREADY_COMPLETED';
    }
    const running = this.#running.get(request.lease ?? '');
    if (running === undefined || running.isEnding) return 'ALREADY_COMPLETED';
    const isFirst = !request.cancelRequested;
    request.cancelRequested = true;
    const isDurable = await this.#deps.store.requestCancel(request.number);
    if (isFirst && running.isSent) void this.#cancelOnRunner(running);
    return isDurable ? 'CANCELLATION_REQUESTED' : 'ALREADY_COMPLETED';
  }

  #lineOf(targetId: string): TargetLine {
    let line = this.#lines.get(targetId);
    if (line === undefined) {
      line = new TargetLine(targetId, this.#deps.dispatcher, this.#deps.clock, {
        onSlot: (request, slot) => void this.#run(request, slot),
        onRefused: (request, error) => void this.#endWaiting(request, error),
        onEmpty: (empty) => {
          if (this.#lines.get(targetId) === empty) this.#lines.delete(targetId);
        },
      });
      this.#lines.set(targetId, line);
    }
    return line;
  }

  #onWakeUp(request: LiveRequest): void {
    if (this.#live.get(request.requestId) !== request || request.state !== 'waiting') return;
    const nowMs = this.#deps.clock.nowMs();
    if (request.startDeadlineMs !== null && request.startDeadlineMs <= nowMs) {
      this.#lines.get(request.targetId)?.remove(request);
      void this.#endWaiting(request, startTimeout());
      return;
    }
    if (request.notBeforeMs > 0 && request.notBeforeMs <= nowMs) {
      request.notBeforeMs = 0;
      this.#lineOf(request.targetId).add(request);
    }
  }

  #onEvent(event: SupervisorEvent): void {
    if (event.type === 'attempt.finished') {
      if (this.#running.has(event.attemptId)) void this.#end(event.attemptId, event.outcome);
      else this.#forget(event.attemptId);
      return;
    }
    if (event.type !== 'runner.exited') return;
    for (const [lease, { request, isEnding }] of this.#running) {
      if (request.runnerId !== event.runnerId || isEnding) continue;
      // Its own end says more, and comes unless the supervisor itself is gone.
      this.#deps.clock.setTimer(afterExitMs, () => void this.#end(lease, failed('disconnected', this.#deps.clock)));
    }
  }

  /** One attempt, until the supervisor has it. */
  async #run(request: LiveRequest, slot: Slot): Promise<void> {
    const { store, driver, clock } = this.#deps;
    const lease = randomUUID();
    const { generation } = driver;
    const atMs = clock.nowMs();
    const running: Running = { request, slot, isSent: false, isEnding: false };
    request.state = 'running';
    request.lease = lease;
    request.runnerId = slot.runnerId;
    request.generation = generation;
    request.startedAtMs = atMs;
    request.attempts += 1;
    this.#running.set(lease, running);
    let input: StoredInput | null;
    try {
      const [isClaimed, stored] = await Promise.all([
        store.claim(request.number, { lease, runnerId: slot.runnerId, generation, atMs }),
        store.readInput(request.number),
      ]);
      if (!isClaimed) throw new LannerError('internal_error', 'A waiting request was not there to be started.');
      input = stored;
    } catch (error) {
      this.#log.error({ err: error, requestId: request.requestId }, 'a request could not be started; it waits on');
      this.#running.delete(lease);
      slot.release({ kind: 'abandoned' });
      request.attempts -= 1;
      this.#waitAgain(request, storeRetryMs);
      return;
    }
    this.#listeners.tell(request.requestId);
    if (request.cancelRequested) return this.#finish(lease, running, cancelled(), { kind: 'abandoned' });
    if (input === null) {
      return this.#finish(lease, running, new LannerError('internal_error', 'The input of the request is gone.'), {
        kind: 'abandoned',
      });
    }
    await this.#send(lease, running, slot, input);
  }

  async #send(lease: string, running: Running, slot: Slot, input: StoredInput): Promise<void> {
    const { request } = running;
    const ordered = await orderAttempt(this.#deps, {
      lease,
      slot,
      input,
      generation: request.generation,
      timeoutMs: this.#requestTimeoutSeconds(request) * 1000,
      signal: this.#stopping.signal,
    });
    if (running.isEnding || ordered === 'stopping') return;
    if (ordered === 'runner-gone') return this.#putBack(running, { delayMs: runnerGoneMs });
    if (ordered === 'supervisor-gone') return this.#end(lease, failed('disconnected', this.#deps.clock));
    if (ordered !== 'sent') return this.#finish(lease, running, ordered, { kind: 'abandoned' });
    running.isSent = true;
    if (request.cancelRequested) void this.#cancelOnRunner(running);
  }

  /** The end of an attempt: another one, or the end of its request. Only the first one told counts. */
  async #end(lease: string, outcome: AttemptOutcome): Promise<void> {
    const running = this.#running.get(lease);
    if (running === undefined || running.isEnding) return;
    const { request } = running;
    const { clock } = this.#deps;
    const needsRetry = outcome.kind === 'answered' ? readSwitch(outcome.headers['x-fal-needs-retry']) : null;
    const end = outcome.kind === 'answered' ? { status: outcome.status, needsRetry } : { failure: outcome.failure };
    const retry = request.cancelRequested
      ? null
      : decideRetry({
          end,
          attempts: request.attempts,
          spent: request.options.spent ?? {},
          request: request.options.retry,
          app: this.#deps.retryRules(request.appId),
        });
    const slotOutcome = toSlotOutcome(outcome);
    if (retry !== null) {
      if (request.startDeadlineMs !== null && request.startDeadlineMs <= clock.nowMs()) {
        return this.#finish(lease, running, startTimeout(), slotOutcome);
      }
      const delayMs = retryDelayMs(request.attempts, Math.random());
      this.#log.info(
        { requestId: request.requestId, attempts: request.attempts, ...end, delayMs },
        'attempt is repeated',
      );
      return this.#putBack(running, { delayMs, charge: retry.condition, slotOutcome });
    }
    if (outcome.kind === 'failed') {
      const error = request.cancelRequested
        ? cancelled()
        : toAttemptError(outcome.failure, this.#requestTimeoutSeconds(request));
      return this.#finish(lease, running, error, slotOutcome);
    }
    await this.#finish(lease, running, outcome, slotOutcome);
  }

  async #finish(
    lease: string,
    running: Running,
    how: LannerError | Extract<AttemptOutcome, { kind: 'answered' }>,
    slotOutcome: SlotOutcome,
  ): Promise<void> {
    if (running.isEnding) return;
    running.isEnding = true;
    const { request } = running;
    const ended = await this.#persist(request, async () => {
      const result = isLannerError(how)
        ? toErrorResult(how, request.requestId, this.#deps.clock.nowMs())
        : await readAnswer(this.#deps, request, lease, how);
      if (!(await this.#deps.store.finish(request.number, lease, result))) {
        this.#log.error({ requestId: request.requestId, lease }, 'a result came for an attempt that is not the latest');
      }
    });
    // Not kept: the supervisor still has it, for the next server.
    if (!ended) return;
    this.#leave(lease, running, slotOutcome);
    this.#forget(lease);
    this.#live.delete(request.requestId);
    this.#listeners.tell(request.requestId);
  }

  /** Back into the line. Without `charge` the attempt did not happen. */
  async #putBack(
    running: Running,
    how: { delayMs: number; charge?: string | null; slotOutcome?: SlotOutcome },
  ): Promise<void> {
    if (running.isEnding) return;
    running.isEnding = true;
    const { request } = running;
    const lease = request.lease!;
    const { options } = request;
    const next =
      how.charge == null
        ? options
        : { ...options, spent: { ...options.spent, [how.charge]: (options.spent?.[how.charge] ?? 0) + 1 } };
    const attempts = how.charge === undefined ? request.attempts - 1 : request.attempts;
    const notBeforeMs = how.delayMs === 0 ? 0 : this.#deps.clock.nowMs() + how.delayMs;
    const stored = await this.#persist(request, () =>
      this.#deps.store.requeue(request.number, lease, { notBeforeMs, attempts, options: next }),
    );
    if (!stored) return;
    request.options = next;
    request.attempts = attempts;
    this.#leave(lease, running, how.slotOutcome ?? { kind: 'abandoned' });
    this.#forget(lease);
    this.#waitAgain(request, how.delayMs);
    this.#listeners.tell(request.requestId);
    // Asked for in the meantime: what waits can be ended right here.
    if (request.cancelRequested) await this.cancel(request);
  }

  #waitAgain(request: LiveRequest, delayMs: number): void {
    request.state = 'waiting';
    request.lease = null;
    request.notBeforeMs = delayMs === 0 ? 0 : this.#deps.clock.nowMs() + delayMs;
    if (request.startDeadlineMs !== null) this.#wakeUps.add(request.startDeadlineMs, request);
    if (delayMs === 0) this.#lineOf(request.targetId).add(request);
    else this.#wakeUps.add(request.notBeforeMs, request);
  }

  async #endWaiting(request: LiveRequest, error: LannerError): Promise<boolean> {
    // From here on nobody else may take it up.
    request.state = 'running';
    let ended = false;
    const stored = await this.#persist(request, async () => {
      const result = toErrorResult(error, request.requestId, this.#deps.clock.nowMs());
      ended = await this.#deps.store.finishWaiting(request.number, result);
    });
    if (!stored) return false;
    this.#live.delete(request.requestId);
    this.#listeners.tell(request.requestId);
    return ended;
  }

  /** Repeats a write until it succeeds; false when the server stops before. */
  async #persist(request: LiveRequest, write: () => Promise<unknown>): Promise<boolean> {
    for (;;) {
      try {
        await write();
        return true;
      } catch (error) {
        if (this.#stopping.signal.aborted) return false;
        this.#log.error(
          { err: error, requestId: request.requestId },
          'the queue could not be written; it is tried again',
        );
        await this.#deps.clock.sleep(storeRetryMs, this.#stopping.signal).catch(() => undefined);
        if (this.#stopping.signal.aborted) return false;
      }
    }
  }

  #leave(lease: string, running: Running, outcome: SlotOutcome): void {
    this.#running.delete(lease);
    running.slot?.release(outcome);
    if (this.#running.size === 0) this.#onIdle?.();
  }

  #forget(attemptId: string): void {
    this.#deps.driver.forgetAttempt(attemptId).catch((error: unknown) => {
      this.#log.debug({ err: error, attemptId }, 'a finished attempt was not forgotten; the next start will');
    });
  }

  async #cancelOnRunner({ request, slot }: Running): Promise<void> {
    const input = slot === null ? null : await this.#deps.store.readInput(request.number);
    if (slot === null || input === null) return;
    cancelOnRunner({
      transport: this.#deps.transport,
      clock: this.#deps.clock,
      runner: slot,
      path: input.path.split('?', 1)[0]!,
      requestId: request.requestId,
      endpoint: `${request.appId}${input.path.split('?', 1)[0]!}`,
      timeoutMs: cancelTimeoutMs,
      onDone: () => {},
    });
  }

  #requestTimeoutSeconds({ appId }: LiveRequest): number {
    const slash = appId.indexOf('/');
    return this.#deps.targets.find(appId.slice(0, slash), appId.slice(slash + 1))?.requestTimeoutSeconds ?? 3600;
  }
}
