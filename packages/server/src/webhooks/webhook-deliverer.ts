import type { Clock } from '@lanner/protocol';
import { createLimit } from '../lib/limit.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { RequestStore } from '../queue/request-store.ts';
import { WakeUps } from '../queue/wake-ups.ts';
import { decideNextStep, type SendOutcome, type WebhookRetryRules } from './decide-next-step.ts';
import type { Delivery, NextStep } from './delivery.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { ReceiverQueue } from './receiver-queue.ts';
import type { WebhookSender } from './send-webhook.ts';
import { signWebhook } from './sign-webhook.ts';
import type { SigningKeys } from './signing-keys.ts';
import { toWebhookBody } from './webhook-body.ts';
import { receiverOf } from './webhook-url.ts';

export interface WebhookDelivererDeps {
  store: DeliveryStore;
  results: Pick<RequestStore, 'findEnded'>;
  blobs: Pick<Blobs, 'open'>;
  keys: Pick<SigningKeys, 'current'>;
  sender: Pick<WebhookSender, 'send'>;
  rules: WebhookRetryRules;
  clock: Clock;
  log: {
    info(facts: object, message: string): void;
    warn(facts: object, message: string): void;
    error(facts: object, message: string): void;
  };
  /** Told of every attempt that was noted. */
  onAttempt?: (state: NextStep['state']) => void;
  limits?: Partial<WebhookLimits>;
}

export interface WebhookLimits {
  /** Under way at once, all told. */
  most: number;
  /** Under way at once to one receiver. */
  perReceiver: number;
  firstTimeoutMs: number;
  /** Of every attempt after the first. */
  retryTimeoutMs: number;
}

/** Timeouts: platform-semantics 6. */
export const defaultWebhookLimits: WebhookLimits = {
  most: 512,
  perReceiver: 16,
  firstTimeoutMs: 15_000,
  retryTimeoutMs: 120_000,
};

const storeRetryMs = 1_000;

/**
 * Empties the outbox. Every receiver has a line of its own, read from the outbox in small pieces, so that one that is dead or slow
 * holds up nobody else, and a long backlog costs no memory. Woken by commits and by timers; nothing polls.
 *
 * A delivery is noted after the receiver answered: what a crash cuts off is sent again, and receivers tell repetitions by
 * `request_id`.
 */
export class WebhookDeliverer {
  readonly #deps: WebhookDelivererDeps;
  readonly #limits: WebhookLimits;
  readonly #receivers = new Map<string, ReceiverQueue>();
  /** Those that wait for a place, in turn. */
  readonly #held = new Set<ReceiverQueue>();
  readonly #wakeUps: WakeUps<ReceiverQueue>;
  readonly #stopping = new AbortController();
  /** Results are read whole for a moment, to be checked and hashed. */
  readonly #prepare = createLimit(4);
  #underWay = 0;
  #isStopping = false;
  #onIdle: (() => void) | null = null;

  constructor(deps: WebhookDelivererDeps) {
    this.#deps = deps;
    this.#limits = { ...defaultWebhookLimits, ...deps.limits };
    this.#wakeUps = new WakeUps(deps.clock, (receiver) => {
      receiver.wakeAtMs = null;
      this.#look(receiver);
    });
  }

  /** Takes up what an earlier server left. */
  async start(): Promise<void> {
    for (const name of await this.#deps.store.listReceivers()) this.#look(this.#receiver(name));
  }

  /** A delivery to this URL was committed. */
  added(url: string): void {
    this.#look(this.#receiver(receiverOf(url)));
  }

  /** Begins nothing new, waits up to `graceMs` for what is under way and cuts the rest, which the next server repeats. Idempotent. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#wakeUps.stop();
    if (this.#underWay > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#deps.clock.setTimer(graceMs, resolve);
        this.#onIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#stopping.abort(new Error('the server is stopping'));
  }

  #receiver(name: string): ReceiverQueue {
    let receiver = this.#receivers.get(name);
    if (receiver === undefined) this.#receivers.set(name, (receiver = new ReceiverQueue(name)));
    return receiver;
  }

  #free(receiver: ReceiverQueue): number {
    const ofReceiver = receiver.limit(this.#limits.perReceiver) - receiver.underWay.size;
    return Math.min(ofReceiver, this.#limits.most - this.#underWay);
  }

  /** Begins what is due and has a place. */
  #look(known: ReceiverQueue): void {
    if (this.#isStopping) return;
    // An old wake-up may know one that was forgotten since: two for one receiver would send everything twice.
    const receiver = this.#receiver(known.name);
    this.#held.delete(receiver);
    if (receiver.isReading) {
      receiver.isStale = true;
      return;
    }
    if (this.#free(receiver) <= 0) {
      if (this.#underWay >= this.#limits.most) this.#held.add(receiver);
      return;
    }
    receiver.isReading = true;
    receiver.isStale = false;
    this.#read(receiver)
      .catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'the outbox of webhooks could not be read');
        this.#wake(receiver, this.#deps.clock.nowMs() + storeRetryMs);
      })
      .finally(() => {
        receiver.isReading = false;
        if (receiver.isStale) this.#look(receiver);
      });
  }

  async #read(receiver: ReceiverQueue): Promise<void> {
    const { store, clock } = this.#deps;
    const nowMs = clock.nowMs();
    // Those under way are due as well: they are read past.
    const due = await store.listDue(receiver.name, nowMs, receiver.underWay.size + this.#free(receiver));
    if (this.#isStopping) return;
    let isFull = false;
    for (const delivery of due) {
      if (receiver.underWay.has(delivery.number)) continue;
      isFull = this.#free(receiver) <= 0;
      if (isFull) break;
      void this.#deliver(receiver, delivery);
    }
    if (isFull || this.#free(receiver) <= 0) {
      if (this.#underWay >= this.#limits.most) this.#held.add(receiver);
      return;
    }
    // The place it did not need.
    this.#serveHeld();
    const nextMs = await store.nextDueAt(receiver.name, nowMs);
    if (nextMs !== null) this.#wake(receiver, nextMs);
    else if (receiver.underWay.size === 0 && !receiver.isStale && receiver.wakeAtMs === null) {
      this.#receivers.delete(receiver.name);
    }
  }

  #wake(receiver: ReceiverQueue, atMs: number): void {
    if (this.#isStopping || (receiver.wakeAtMs !== null && receiver.wakeAtMs <= atMs)) return;
    receiver.wakeAtMs = atMs;
    this.#wakeUps.add(atMs, receiver);
  }

  async #deliver(receiver: ReceiverQueue, delivery: Delivery): Promise<void> {
    receiver.underWay.add(delivery.number);
    this.#underWay += 1;
    try {
      await this.#attempt(receiver, delivery);
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        this.#deps.log.error({ err: error, requestId: delivery.requestId }, 'a webhook could not be prepared or noted');
        // Still due: it is looked at again after a pause.
        await this.#deps.clock.sleep(storeRetryMs, this.#stopping.signal).catch(() => undefined);
      }
    } finally {
      receiver.underWay.delete(delivery.number);
      this.#underWay -= 1;
      this.#goOn(receiver);
    }
  }

  /** A place is free: for those that waited longest, then for the receiver that had it. */
  #goOn(receiver: ReceiverQueue): void {
    if (this.#underWay === 0) this.#onIdle?.();
    this.#serveHeld();
    this.#look(receiver);
  }

  #serveHeld(): void {
    const [longest] = this.#held;
    if (longest === undefined || this.#underWay >= this.#limits.most) return;
    this.#held.delete(longest);
    this.#look(longest);
  }

  async #attempt(receiver: ReceiverQueue, delivery: Delivery): Promise<void> {
    const { store, results, blobs, keys, sender, clock, rules, log } = this.#deps;
    const body = await this.#prepare(async () =>
      toWebhookBody(delivery, await results.findEnded(delivery.requestId), blobs),
    );
    const startedAtMs = clock.nowMs();
    const startedMs = clock.monotonicMs();
    const outcome = await sender.send({
      url: delivery.url,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'lanner-webhooks',
        ...signWebhook(keys.current(), {
          requestId: delivery.requestId,
          userId: delivery.accountId,
          timestampSeconds: Math.floor(startedAtMs / 1000),
          bodySha256: body.sha256,
        }),
      },
      body,
      timeoutMs: delivery.attempts === 0 ? this.#limits.firstTimeoutMs : this.#limits.retryTimeoutMs,
      signal: this.#stopping.signal,
    });
    receiver.note(outcome.kind === 'answered');
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const next = decideNextStep({
      ...{ outcome, delivery, rules },
      nowMs: startedAtMs + durationMs,
      random: Math.random(),
    });
    const status = outcome.kind === 'answered' ? outcome.status : null;
    const error = toErrorCode(outcome);
    await store.recordAttempt(delivery.number, { startedAtMs, durationMs, status, error }, next);
    // Without the URL, whose query may hold a secret of the receiver.
    const facts = { requestId: delivery.requestId, attempt: delivery.attempts + 1, status, error, durationMs };
    if (next.state === 'failed') log.warn({ ...facts, receiver: receiver.name }, 'webhook given up');
    else if (next.state === 'pending') log.info({ ...facts, receiver: receiver.name }, 'webhook is repeated');
    else log.info(facts, 'webhook delivered');
    this.#deps.onAttempt?.(next.state);
  }
}

function toErrorCode(outcome: SendOutcome): string | null {
  if (outcome.kind !== 'answered') return outcome.reason;
  if (outcome.status >= 200 && outcome.status < 300) return null;
  return outcome.status >= 300 && outcome.status < 400 ? 'redirect' : 'status';
}
