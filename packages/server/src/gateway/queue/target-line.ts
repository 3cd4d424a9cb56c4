import { isLannerError, type Clock, type LannerError, type Timer } from '@lanner/protocol';
import type { LiveRequest } from '../../queue/live-request.ts';
import { WaitingLine } from '../../queue/waiting-line.ts';
import type { Dispatcher, Slot } from '../../scheduler/dispatcher.ts';

export interface TargetLineOwner {
  /** A runner is there for this request, which has left the line. */
  onSlot(request: LiveRequest, slot: Slot): void;
  /** No runner will come for this request, which has left the line. */
  onRefused(request: LiveRequest, error: LannerError): void;
  /** Nothing waits any more. */
  onEmpty(line: TargetLine): void;
}

/** Most slots asked for at a time: more would be no more demand than an app can have runners for. */
const window = 256;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** Failed starts in a row before requests are told. One may be an accident of the machine. */
const patience = 3;
/** What ends requests; other refusals are waited out: a request stays queued while no runner can be had for now. */
const fatal: ReadonlySet<string> = new Set(['app_not_found', 'app_suspended']);
const fatalWhenRepeated: ReadonlySet<string> = new Set(['startup_failed', 'build_failed']);

/**
 * The waiting requests of one app and the slots asked for on their behalf. Which request gets a slot is decided when the slot is
 * there: the first in line by then.
 */
export class TargetLine {
  readonly targetId: string;
  readonly waiting: WaitingLine<LiveRequest> = new WaitingLine<LiveRequest>();
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  readonly #owner: TargetLineOwner;
  readonly #asked = new Set<AbortController>();
  #pause: Timer | null = null;
  #refusals = 0;
  #isStopped = false;

  constructor(targetId: string, dispatcher: Dispatcher, clock: Clock, owner: TargetLineOwner) {
    this.targetId = targetId;
    this.#dispatcher = dispatcher;
    this.#clock = clock;
    this.#owner = owner;
  }

  add(request: LiveRequest): void {
    this.waiting.add(request);
    this.pump();
  }

  remove(request: LiveRequest): boolean {
    const wasWaiting = this.waiting.remove(request);
    if (wasWaiting) this.pump();
    return wasWaiting;
  }

  /** Back into the line, and nothing is asked for during a pause. */
  putOff(request: LiveRequest, pauseMs: number): void {
    this.waiting.add(request);
    for (const asked of this.#asked) asked.abort();
    this.#asked.clear();
    this.#pauseFor(pauseMs);
  }

  /** Asks for as many slots as there are requests, up to the window, and takes back what is too much. */
  pump(): void {
    const wanted = Math.min(this.waiting.size, window);
    for (const surplus of this.#asked) {
      if (this.#asked.size <= wanted) break;
      this.#asked.delete(surplus);
      surplus.abort();
    }
    if (this.#isStopped || this.#pause !== null) return;
    while (this.#asked.size < wanted) this.#ask();
    if (wanted === 0 && this.#asked.size === 0) this.#owner.onEmpty(this);
  }

  stop(): void {
    this.#isStopped = true;
    this.#pause?.cancel();
    for (const asked of this.#asked) asked.abort();
    this.#asked.clear();
  }

  #ask(): void {
    const abort = new AbortController();
    this.#asked.add(abort);
    const hint = this.waiting.first()?.options.hint;
    // Filled in when it is known who gets the slot; listings show it.
    const caller = { requestId: '', accountId: null as string | null };
    this.#dispatcher
      .acquire({
        targetId: this.targetId,
        signal: abort.signal,
        startDeadlineMs: null,
        ...(hint === undefined ? {} : { hint }),
        caller,
      })
      .then(
        (slot) => {
          this.#asked.delete(abort);
          this.#refusals = 0;
          const request = this.#isStopped ? undefined : this.waiting.first();
          if (request === undefined) return slot.release({ kind: 'abandoned' });
          this.waiting.remove(request);
          caller.requestId = request.requestId;
          caller.accountId = request.callerAccountId;
          this.#owner.onSlot(request, slot);
          this.pump();
        },
        (error: unknown) => {
          const wasWanted = this.#asked.delete(abort);
          if (wasWanted && !this.#isStopped) this.#onRefused(error);
        },
      );
  }

  #onRefused(error: unknown): void {
    if (isLannerError(error)) {
      if (error.code === 'shutting_down') return this.stop();
      const isFatal = fatal.has(error.code) || (fatalWhenRepeated.has(error.code) && this.#refusals >= patience);
      const request = isFatal ? this.waiting.first() : undefined;
      if (request !== undefined) {
        this.waiting.remove(request);
        this.#owner.onRefused(request, error);
        if (fatal.has(error.code)) return this.pump();
      }
    }
    // All that waited are refused together: one pause for them.
    if (this.#pause !== null) return;
    this.#refusals += 1;
    const ownMs = Math.min(firstPauseMs * 2 ** Math.min(this.#refusals - 1, 10), longestPauseMs);
    // During the scheduler's own pause it would only say the same again.
    const retryAfterMs = isLannerError(error) ? Number(error.details['retryAfterMs'] ?? 0) : 0;
    this.#pauseFor(Math.max(ownMs, retryAfterMs || 0));
  }

  #pauseFor(pauseMs: number): void {
    if (this.#isStopped) return;
    this.#pause ??= this.#clock.setTimer(pauseMs, () => {
      this.#pause = null;
      this.pump();
    });
  }
}
