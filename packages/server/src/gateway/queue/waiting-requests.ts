import type { Clock, LannerError } from '@lanner/protocol';
import type { LiveRequest } from '../../queue/live-request.ts';
import { WakeUps } from '../../queue/wake-ups.ts';
import type { Dispatcher, Slot } from '../../scheduler/dispatcher.ts';
import { TargetLine } from './target-line.ts';

export interface WaitingOwner {
  /** A runner is there for this request, which waits no more. */
  onSlot(request: LiveRequest, slot: Slot): void;
  /** No runner will come for this request, which waits no more. */
  onRefused(request: LiveRequest, error: LannerError): void;
  /** The start deadline of this request has passed; it waits no more. */
  onStartDeadline(request: LiveRequest): void;
}

/** Everything that waits: one line per target, and one timer for those who wait for a moment. */
export class WaitingRequests {
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  readonly #owner: WaitingOwner;
  readonly #lines = new Map<string, TargetLine>();
  readonly #wakeUps: WakeUps<LiveRequest>;

  constructor(dispatcher: Dispatcher, clock: Clock, owner: WaitingOwner) {
    this.#dispatcher = dispatcher;
    this.#clock = clock;
    this.#owner = owner;
    this.#wakeUps = new WakeUps(clock, (request) => this.#onWakeUp(request));
  }

  /** Takes a request in, into its line now or at `notBeforeMs`. A runner is asked for by {@link pump}. */
  join(request: LiveRequest): void {
    const { startDeadlineMs, notBeforeMs, targetId } = request;
    if (startDeadlineMs !== null) this.#wakeUps.add(startDeadlineMs, request);
    if (notBeforeMs > this.#clock.nowMs()) this.#wakeUps.add(notBeforeMs, request);
    else this.#lineOf(targetId).waiting.add(request);
  }

  /** Asks for runners for those in line. Without a target: for all. */
  pump(targetId?: string): void {
    if (targetId !== undefined) this.#lines.get(targetId)?.pump();
    else for (const line of this.#lines.values()) line.pump();
  }

  /** A request that got a runner at the wrong moment: it keeps its place, and its line asks for none during a pause. */
  putOff(request: LiveRequest, pauseMs: number): void {
    this.#lineOf(request.targetId).putOff(request, pauseMs);
  }

  /** Takes a request out. Nothing happens to one that is not in line. */
  remove(request: LiveRequest): void {
    this.#lines.get(request.targetId)?.remove(request);
  }

  /** How many are ahead of a request. */
  position(request: LiveRequest): number {
    return this.#lines.get(request.targetId)?.waiting.position(request) ?? 0;
  }

  /** How many are in the line of a target. */
  size(targetId: string): number {
    return this.#lines.get(targetId)?.waiting.size ?? 0;
  }

  /** Those in the line of a target, in order. */
  inLine(targetId: string): Iterable<LiveRequest> {
    return this.#lines.get(targetId)?.waiting ?? [];
  }

  /** The lines there are, each with its oldest request. */
  *overview(): Generator<{ size: number; oldest: LiveRequest }> {
    for (const { waiting } of this.#lines.values()) {
      const oldest = waiting.oldest();
      if (oldest !== undefined) yield { size: waiting.size, oldest };
    }
  }

  /** No more runners are asked for. */
  stopAsking(): void {
    for (const line of this.#lines.values()) line.stop();
  }

  /** No timer is left. */
  stop(): void {
    this.stopAsking();
    this.#wakeUps.stop();
  }

  #lineOf(targetId: string): TargetLine {
    let line = this.#lines.get(targetId);
    if (line === undefined) {
      line = new TargetLine(targetId, this.#dispatcher, this.#clock, {
        onSlot: (request, slot) => this.#owner.onSlot(request, slot),
        onRefused: (request, error) => this.#owner.onRefused(request, error),
        onEmpty: (empty) => {
          if (this.#lines.get(targetId) === empty) this.#lines.delete(targetId);
        },
      });
      this.#lines.set(targetId, line);
    }
    return line;
  }

  #onWakeUp(request: LiveRequest): void {
    // Ended ones are not `waiting` either.
    if (request.state !== 'waiting') return;
    const nowMs = this.#clock.nowMs();
    if (request.startDeadlineMs !== null && request.startDeadlineMs <= nowMs) {
      this.remove(request);
      this.#owner.onStartDeadline(request);
      return;
    }
    if (request.notBeforeMs > 0 && request.notBeforeMs <= nowMs) {
      request.notBeforeMs = 0;
      this.#lineOf(request.targetId).add(request);
    }
  }
}
