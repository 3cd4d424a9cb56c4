import { randomUUID } from 'node:crypto';
import { isLannerError, LannerError, type AttemptOutcome, type AttemptSnapshot } from '@lanner/protocol';
import { localRunnerId, type AttemptExecutor } from '../../queue/attempt-executor.ts';
import { withoutRedaction } from '../../observe/access-log.ts';
import type { Logger } from '../../observe/logger.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { Claim, StoredInput } from '../../queue/request-store.ts';
import { decideRetry, retryDelayMs } from '../../queue/retry-policy.ts';
import type { Slot, SlotOutcome } from '../../scheduler/dispatcher.ts';
import { readSwitch } from '../caller-response-headers.ts';
import { cancelOnRunner } from '../cancel-on-runner.ts';
import { cancelled, failed, startTimeout, toSlotOutcome } from './attempt-ends.ts';
import { orderAttempt } from './order-attempt.ts';
import type { PersistentWrites } from './persistent-writes.ts';
import { readAnswer } from './read-answer.ts';
import type { RequestQueueDeps } from './request-queue-deps.ts';
import { toAttemptError, toErrorResult } from './to-result.ts';

export interface AttemptsOwner {
  /** A request was taken up. */
  onStarted(request: LiveRequest): void;
  /** A request has its result, durably. */
  onEnded(request: LiveRequest, status: number): void;
  /** Nothing can be begun for the time being; the request waits as before. */
  onPutOff(request: LiveRequest, pauseMs: number): void;
  /** A request waits again, durably; `notBeforeMs` says for what. */
  onWaitsAgain(request: LiveRequest): void;
}

/** An attempt under way. `slot` is null for one whose runner was not taken over. */
interface Running {
  request: LiveRequest;
  slot: Slot | null;
  /** The supervisor has it. */
  isSent: boolean;
  isEnding: boolean;
  /** Set until the store is known to have it. */
  claim?: Claim | undefined;
}

/** How long the end of an attempt may lag behind the end of its runner. */
const afterExitMs = 2_000;
/** The scheduler needs a moment to hear of it, too. */
const runnerGoneMs = 200;
const storeRetryMs = 1_000;
const cancelTimeoutMs = 5_000;

/** The attempts of the queue, from the slot they got to the end that the store has. By lease. */
export class AttemptsUnderWay {
  readonly #deps: RequestQueueDeps;
  readonly #owner: AttemptsOwner;
  readonly #signal: AbortSignal;
  readonly #writes: PersistentWrites;
  /** Of what every request does. */
  readonly #log: Logger;
  readonly #running = new Map<string, Running>();
  #onIdle: (() => void) | null = null;

  /** @param signal the queue stops: nothing is ordered and repeated any more. */
  constructor(deps: RequestQueueDeps, owner: AttemptsOwner, writes: PersistentWrites, signal: AbortSignal) {
    this.#deps = deps;
    this.#owner = owner;
    this.#signal = signal;
    this.#writes = writes;
    this.#log = withoutRedaction(deps.log);
  }

  get size(): number {
    return this.#running.size;
  }

  /** Requests with an attempt under way. */
  *requests(): Generator<LiveRequest> {
    for (const { request } of this.#running.values()) yield request;
  }

  /** Resolves once nothing runs, or after `graceMs`. */
  async waitUntilIdle(graceMs: number): Promise<void> {
    if (this.#isIdle() || graceMs <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#deps.clock.setTimer(graceMs, resolve);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** What the server executes itself does not count: it goes on with the next server. */
  #isIdle(): boolean {
    return [...this.#running.values()].every(({ request }) => request.runnerId === localRunnerId);
  }

  /**
   * Takes over an attempt that an earlier server began.
   * @param known what the supervisor says about it; undefined: it has no such attempt.
   * @returns what is to be done once everything is taken over; null: its end will be told.
   */
  resume(request: LiveRequest, known: AttemptSnapshot | undefined): (() => void) | null {
    const { dispatcher, driver, clock } = this.#deps;
    const { requestId, runnerId, callerAccountId: accountId } = request;
    const lease = request.lease ?? '';
    const slot =
      known === undefined || runnerId === null ? null : dispatcher.reclaim(runnerId, { requestId, accountId });
    const running: Running = { request, slot, isSent: known !== undefined, isEnding: false };
    this.#running.set(lease, running);
    if (known !== undefined) {
      const { outcome } = known;
      return outcome === undefined ? null : () => void this.#end(lease, outcome);
    }
    // The server died between its note and the order: nothing was sent. What it executed itself goes on where it was.
    const isRepeatable = request.generation === driver.generation || runnerId === localRunnerId;
    if (isRepeatable) return () => void this.#putBack(running, { delayMs: 0 });
    return () => void this.#end(lease, failed('disconnected', clock));
  }

  /**
   * Takes over an attempt that an earlier server ordered and did not come to write down.
   * @returns what is to be done once everything is taken over; null: its end will be told.
   */
  adopt(request: LiveRequest, known: AttemptSnapshot): (() => void) | null {
    const { attemptId: lease, runnerId, startedAtMs: atMs } = known;
    const caller = { requestId: request.requestId, accountId: request.callerAccountId };
    const slot = this.#deps.dispatcher.reclaim(runnerId, caller);
    const running = this.#claim(request, slot, { lease, runnerId, generation: this.#deps.driver.generation, atMs });
    running.isSent = true;
    const { outcome } = known;
    return outcome === undefined ? null : () => void this.#end(lease, outcome);
  }

  /** Nothing waits for the claim to be durable: after a crash the supervisor tells which request its attempts are for. */
  #claim(request: LiveRequest, slot: Slot | null, claim: Claim): Running {
    const running: Running = { request, slot, isSent: false, isEnding: false, claim };
    request.begin(claim);
    this.#running.set(claim.lease, running);
    this.#deps.store.claim(request.number, claim).then(
      (isClaimed) => {
        if (isClaimed) running.claim = undefined;
      },
      (error: unknown) => {
        if (this.#signal.aborted) return;
        const { requestId } = request;
        this.#deps.log.error({ err: error, requestId }, 'an attempt could not be written down; its end will be');
      },
    );
    return running;
  }

  /**
   * One attempt, until the supervisor has it.
   * @param known the input, where it is still at hand.
   */
  async begin(request: LiveRequest, slot: Slot, known: StoredInput | null): Promise<void> {
    const { store, driver, clock, log, observer } = this.#deps;
    if (this.#writes.areFailing) {
      // What is executed now could not be kept.
      slot.release({ kind: 'abandoned' });
      return this.#owner.onPutOff(request, storeRetryMs);
    }
    const lease = randomUUID();
    const atMs = clock.nowMs();
    const { generation } = driver;
    const running = this.#claim(request, slot, { lease, runnerId: slot.runnerId, generation, atMs });
    this.#owner.onStarted(request);
    if (request.attempts === 1) observer?.queueWait(request.appId, atMs - request.submittedAtMs);
    let input: StoredInput | null;
    try {
      input = known ?? (await store.readInput(request.number));
    } catch (error) {
      log.error({ err: error, requestId: request.requestId }, 'a request could not be started; it waits on');
      return this.#putBack(running, { delayMs: storeRetryMs });
    }
    if (request.cancelRequested) return this.#finish(lease, running, cancelled(), { kind: 'abandoned' });
    if (input === null) {
      return this.#finish(lease, running, new LannerError('internal_error', 'The input of the request is gone.'), {
        kind: 'abandoned',
      });
    }
    if (slot.executor !== undefined) return this.#execute(lease, running, slot.executor, input);
    await this.#send(lease, running, slot, input);
  }

  #execute(lease: string, running: Running, executor: AttemptExecutor, input: StoredInput): void {
    const { request } = running;
    running.isSent = true;
    const timeoutMs = this.#requestTimeoutSeconds(request) * 1000;
    executor.start({ attemptId: lease, request, input, timeoutMs }, (outcome) => void this.#end(lease, outcome));
  }

  /** The supervisor tells the end of an attempt. One that nobody waits for is forgotten there. */
  onFinished(lease: string, outcome: AttemptOutcome): void {
    if (this.#running.has(lease)) void this.#end(lease, outcome);
    else this.forget(lease);
  }

  /** The runner of attempts is gone. */
  onRunnerExited(runnerId: string): void {
    const { clock } = this.#deps;
    for (const [lease, { request, isEnding }] of this.#running) {
      if (request.runnerId !== runnerId || isEnding) continue;
      // Its own end says more, and comes unless the supervisor itself is gone.
      clock.setTimer(afterExitMs, () => void this.#end(lease, failed('disconnected', clock)));
    }
  }

  /** Notes that the caller wants it no more, and asks the app to stop. False when it ends already. */
  async cancel(request: LiveRequest): Promise<boolean> {
    const running = this.#running.get(request.lease ?? '');
    if (running === undefined || running.isEnding) return false;
    const isFirst = !request.cancelRequested;
    request.cancelRequested = true;
    const isDurable = await this.#deps.store.requestCancel(request.number, running.claim);
    if (isFirst && running.isSent) void this.#cancelOnRunner(running);
    return isDurable;
  }

  /** Attempts of which nothing more is needed. */
  forget(attemptId: string): void {
    this.#deps.driver.forgetAttempt(attemptId).catch((error: unknown) => {
      this.#deps.log.debug({ err: error, attemptId }, 'a finished attempt was not forgotten; the next start will');
    });
  }

  async #send(lease: string, running: Running, slot: Slot, input: StoredInput): Promise<void> {
    const { request } = running;
    const ordered = await orderAttempt(this.#deps, {
      lease,
      requestNumber: request.number,
      attemptNumber: request.attempts,
      slot,
      input,
      generation: request.generation,
      timeoutMs: this.#requestTimeoutSeconds(request) * 1000,
      signal: this.#signal,
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
    const { clock, log } = this.#deps;
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
    const outcomeName = outcome.kind === 'answered' ? 'answered' : outcome.failure;
    this.#deps.observer?.attempt(request.appId, outcomeName, outcome.durationMs, retry !== null);
    const slotOutcome = toSlotOutcome(outcome);
    if (retry !== null) {
      if (request.startDeadlineMs !== null && request.startDeadlineMs <= clock.nowMs()) {
        return this.#finish(lease, running, startTimeout(), slotOutcome);
      }
      const delayMs = retryDelayMs(request.attempts, Math.random());
      log.info({ requestId: request.requestId, attempts: request.attempts, ...end, delayMs }, 'attempt is repeated');
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
    const { store, clock, log } = this.#deps;
    let status = 0;
    // The runner is free whether or not its answer is on disk yet; while the disk fails, nothing new is begun.
    this.#releaseSlot(running, slotOutcome);
    const ended = await this.#writes.persist(request.requestId, async () => {
      const result = isLannerError(how)
        ? toErrorResult(how, request.requestId, clock.nowMs())
        : await readAnswer(this.#deps, request, lease, how);
      status = result.status;
      if (!(await store.finish(request.number, lease, result, running.claim))) {
        log.error({ requestId: request.requestId, lease }, 'a result came for an attempt that is not the latest');
      }
    });
    // Not kept: the supervisor still has it, for the next server.
    if (!ended) return;
    this.#log.info(
      {
        ...{ requestId: request.requestId, attemptId: lease, app: request.appId, runnerId: request.runnerId },
        ...{ attempts: request.attempts, status, totalMs: clock.nowMs() - request.submittedAtMs },
      },
      'queued request finished',
    );
    this.#leave(lease);
    this.#owner.onEnded(request, status);
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
    this.#releaseSlot(running, how.slotOutcome ?? { kind: 'abandoned' });
    const notBeforeMs = how.delayMs === 0 ? 0 : this.#deps.clock.nowMs() + how.delayMs;
    const stored = await this.#writes.persist(request.requestId, () =>
      this.#deps.store.requeue(request.number, lease, { notBeforeMs, attempts, options: next }, running.claim),
    );
    if (!stored) return;
    request.options = next;
    request.attempts = attempts;
    this.#leave(lease);
    request.waitAgain(notBeforeMs);
    this.#owner.onWaitsAgain(request);
  }

  #releaseSlot(running: Running, outcome: SlotOutcome): void {
    const { slot } = running;
    running.slot = null;
    slot?.release(outcome);
  }

  #leave(lease: string): void {
    const isLocal = this.#running.get(lease)?.request.runnerId === localRunnerId;
    this.#running.delete(lease);
    if (!isLocal) this.forget(lease);
    if (this.#onIdle !== null && this.#isIdle()) this.#onIdle();
  }

  async #cancelOnRunner({ request, slot }: Running): Promise<void> {
    if (slot?.executor !== undefined) return slot.executor.cancel(request.lease ?? '');
    const input = slot === null ? null : await this.#deps.store.readInput(request.number);
    if (slot === null || input === null) return;
    const path = input.path.split('?', 1)[0]!;
    cancelOnRunner({
      transport: this.#deps.transport,
      clock: this.#deps.clock,
      runner: slot,
      path,
      requestId: request.requestId,
      endpoint: `${request.appId}${path}`,
      timeoutMs: cancelTimeoutMs,
      onDone: () => {},
    });
  }

  #requestTimeoutSeconds({ appId }: LiveRequest): number {
    const slash = appId.lastIndexOf('/');
    return this.#deps.targets.find(appId.slice(0, slash), appId.slice(slash + 1))?.requestTimeoutSeconds ?? 3600;
  }
}
