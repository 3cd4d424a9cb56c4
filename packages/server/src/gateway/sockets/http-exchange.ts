import { randomUUID } from 'node:crypto';
import { LannerError, type Timer } from '@lanner/protocol';
import type { SlotOutcome } from '../../scheduler/dispatcher.ts';
import { readVerdict, toCallerHeaders, type RunnerVerdict } from '../caller-response-headers.ts';
import { cancelOnRunner } from '../cancel-on-runner.ts';
import { decideSlotOutcome } from '../decide-slot-outcome.ts';
import { toErrorAnswer } from '../send-error.ts';
import { toGatewayError } from '../to-gateway-error.ts';
import type {
  UpstreamExchange,
  UpstreamFailure,
  UpstreamHeaders,
  UpstreamReceiver,
} from '../upstream/upstream-transport.ts';
import { endMessage, piecesOf, startMessage } from './http-messages.ts';
import type { OpenedSocket } from './socket-session.ts';

/** Where the messages of an answer go. */
export interface MessageSink {
  sendText(text: string): void;
  /** False: enough for now; `onDrain` of the exchange tells when there is room again. */
  sendBinary(bytes: Buffer): boolean;
}

/** How one request ended, for the socket it came on. */
export interface ExchangeEnd {
  outcome: SlotOutcome;
  /** The answer is complete on the socket; false: it broke off in the middle, and nothing may follow it. */
  isComplete: boolean;
}

/** One request of an HTTP-over-WebSocket connection, from its message to its end message. */
export class HttpExchange implements UpstreamReceiver {
  readonly requestId: string = randomUUID();
  readonly #opened: OpenedSocket;
  readonly #sink: MessageSink;
  readonly #onOver: (end: ExchangeEnd) => void;
  readonly #startedAtMs: number;
  readonly #requestBytes: number;
  readonly #deadline: Timer;
  readonly #upstream: UpstreamExchange;
  #isOver = false;
  #hasBegun = false;
  #status = 0;
  #firstByteMs = 0;
  #responseBytes = 0;
  #verdict: RunnerVerdict = { stopRunner: null, hints: null };

  /** @param headers for the runner, without those of this request. */
  constructor(
    opened: OpenedSocket,
    request: { body: Buffer; contentType: string; headers: readonly string[] },
    sink: MessageSink,
    onOver: (end: ExchangeEnd) => void,
  ) {
    const { context, admitted, slot } = opened;
    this.#opened = opened;
    this.#sink = sink;
    this.#onOver = onOver;
    this.#startedAtMs = context.clock.monotonicMs();
    this.#requestBytes = request.body.length;
    const { requestTimeoutSeconds: seconds } = admitted.target;
    this.#deadline = context.clock.setTimer(seconds * 1000, () => this.#onDeadline(seconds));
    const headers = [
      ...request.headers,
      'x-fal-request-id',
      this.requestId,
      'content-type',
      request.contentType,
      'content-length',
      String(request.body.length),
    ];
    const path = admitted.path + admitted.query;
    this.#upstream = context.transport.send(slot, { method: 'POST', path, headers, body: request.body }, this);
  }

  onHead(status: number, _reason: string, upstream: UpstreamHeaders): void {
    const { context, slot } = this.#opened;
    this.#firstByteMs = context.clock.monotonicMs() - this.#startedAtMs;
    this.#verdict = readVerdict(upstream);
    this.#status = status;
    this.#hasBegun = true;
    const headers = toCallerHeaders(upstream, {
      status,
      requestId: this.requestId,
      runnerId: slot.runnerId,
      isCrossOrigin: false,
    });
    this.#sink.sendText(startMessage(this.requestId, status, headers));
  }

  onData(chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    this.#opened.context.onStreamed(chunk.length);
    for (const piece of piecesOf(chunk)) {
      if (!this.#sink.sendBinary(piece)) this.#upstream.pause();
    }
  }

  /** The caller has taken what was sent. */
  onDrain(): void {
    this.#upstream.resume();
  }

  onEnd(): void {
    this.#sink.sendText(endMessage(this.requestId, this.#status, this.#firstByteMs));
    this.#finish(decideSlotOutcome(this.#status, this.#verdict), true, null);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#fail(
      toGatewayError(failure),
      failure.kind === 'bad-request' ? { kind: 'done' } : { kind: 'connection-failed' },
    );
  }

  /** Nobody waits any more: the app is told, and the runner is free when it knows. */
  abandon(): void {
    if (this.#isOver) return;
    const { context, admitted, slot, endpoint } = this.#opened;
    const outcome: SlotOutcome = { kind: 'abandoned' };
    this.#settle();
    this.#log(new LannerError('client_disconnected', 'The caller went away.'));
    cancelOnRunner({
      transport: context.transport,
      clock: context.clock,
      runner: slot,
      path: admitted.path,
      requestId: this.requestId,
      endpoint,
      timeoutMs: context.limits.cancelTimeoutMs,
      onDone: () => this.#onOver({ outcome, isComplete: false }),
    });
    this.#upstream.abort();
  }

  #onDeadline(seconds: number): void {
    this.#upstream.abort();
    this.#fail(
      new LannerError('request_timeout', `The app did not finish within its request_timeout of ${seconds} s.`),
      {
        kind: 'terminate',
        reason: `request_timeout of ${seconds} s exceeded`,
      },
    );
  }

  /** The error as an answer where none has begun: what the same call over HTTP would have got. */
  #fail(error: LannerError, outcome: SlotOutcome): void {
    if (this.#isOver) return;
    if (!this.#hasBegun) {
      const { status, headers, body } = toErrorAnswer(error, this.requestId);
      this.#status = status;
      this.#sink.sendText(startMessage(this.requestId, status, headers));
      this.#sink.sendBinary(Buffer.from(body));
      this.#sink.sendText(
        endMessage(this.requestId, status, this.#opened.context.clock.monotonicMs() - this.#startedAtMs),
      );
    }
    this.#finish(outcome, !this.#hasBegun, error);
  }

  #finish(outcome: SlotOutcome, isComplete: boolean, error: LannerError | null): void {
    if (!this.#settle()) return;
    this.#log(error);
    this.#onOver({ outcome, isComplete });
  }

  #settle(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline.cancel();
    return true;
  }

  #log(error: LannerError | null): void {
    const { context, admitted, slot } = this.#opened;
    const { target, principal, path } = admitted;
    context.writeAccessLog(
      {
        requestId: this.requestId,
        role: 'ws',
        method: 'POST',
        app: `${target.ownerNickname}/${target.name}`,
        path,
        protocol: 'websocket',
        status: this.#status === 0 ? 499 : this.#status,
        errorCode: error?.code,
        cause: error?.cause === undefined ? undefined : String(error.cause),
        callerAccountId: principal?.accountId,
        runnerId: slot.runnerId,
        requestBytes: this.#requestBytes,
        responseBytes: this.#responseBytes,
        firstByteMs: Math.round(this.#firstByteMs * 100) / 100,
        totalMs: Math.round((context.clock.monotonicMs() - this.#startedAtMs) * 100) / 100,
      },
      error?.entry.fault === 'platform',
    );
  }
}
