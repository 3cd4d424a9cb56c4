import { LannerError, isLannerError, toLannerError, type Timer } from '@lanner/protocol';
import type { Principal } from '../auth/principal.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import type { Slot, SlotOutcome, Target } from '../scheduler/dispatcher.ts';
import { acquireSlot, admitCall } from './admit-call.ts';
import { CallerBody, readBodyKind, readSmallBody } from './caller-body.ts';
import { toCallerUserId } from './caller-identity.ts';
import { readVerdict, toCallerHeaders, type RunnerVerdict } from './caller-response-headers.ts';
import { breakAnswer, discardBody, isHttp2Response, type AnyResponse } from './caller.ts';
import { cancelOnRunner } from './cancel-on-runner.ts';
import { decideSlotOutcome } from './decide-slot-outcome.ts';
import type { GatewayContext } from './gateway-context.ts';
import { withoutQueryToken } from './read-credential.ts';
import { resolveApp } from './resolve-app.ts';
import { toRunnerHeaders } from './runner-request-headers.ts';
import { sendError } from './send-error.ts';
import { toGatewayError } from './to-gateway-error.ts';
import type {
  UpstreamExchange,
  UpstreamFailure,
  UpstreamHeaders,
  UpstreamReceiver,
} from './upstream/upstream-transport.ts';
import { toPublicSlashRedirect } from './slash-redirect.ts';

/**
 * A head without a body: a stream that has not begun gets its head to the caller at once. With a length, the body is a moment
 * behind (uvicorn writes the two apart), and sending both together saves a write here and a wake-up there.
 */
let flushHead: (call: SyncCall, isOpenEnded: boolean) => void;
const headDelayMs = 5;

/**
 * One call of the run role, from its headers to its last byte.
 *
 * ```
 * admitting ──> waiting ──> sent ──> answering ──> over
 *     └────────────┴──────────┴──────────┴───────────^   error, caller gone, time over, shutdown
 * ```
 *
 * Whatever ends it goes through {@link SyncCall.#settle}, once: there the slot is given back. A class rather than closures:
 * a call then costs one object.
 */
export class SyncCall implements UpstreamReceiver {
  readonly #context: GatewayContext;
  readonly #request: AnyRequest;
  readonly #response: AnyResponse;
  readonly #route: Route;
  readonly #requestId: string;
  readonly #startedAtMs: number;
  readonly #abort = new AbortController();

  #phase: 'admitting' | 'waiting' | 'sent' | 'answering' | 'over' = 'admitting';
  #target: Target | null = null;
  #principal: Principal | null = null;
  #path = '';
  #slot: Slot | null = null;
  #runnerId: string | undefined;
  #exchange: UpstreamExchange | null = null;
  #body: Buffer | CallerBody | null = null;
  #deadline: Timer | null = null;
  #headTimer: Timer | null = null;
  #status = 0;
  #verdict: RunnerVerdict | null = null;
  #isPaused = false;
  #isDrainWatched = false;
  #error: LannerError | null = null;
  #isCallerGone = false;
  #waitMs: number | undefined;
  #firstByteMs: number | undefined;
  #responseBytes = 0;

  constructor(context: GatewayContext, request: AnyRequest, response: AnyResponse, route: Route, requestId: string) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#route = route;
    this.#requestId = requestId;
    this.#startedAtMs = context.clock.monotonicMs();
    response.on('close', () => this.#onCallerClosed());
    // A write that comes too late to a connection that is gone; the close tells everything.
    response.on('error', () => {});
  }

  /** Runs the call until it is handed to the runner. Never rejects; the rest happens in the callbacks. */
  async start(): Promise<void> {
    try {
      await this.#prepare();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the call for the sake of a shutdown. */
  shutDown(): void {
    this.#fail(new LannerError('shutting_down', 'The server is stopping. Try again in a moment.'));
  }

  async #prepare(): Promise<void> {
    const { targets, dispatcher, authenticator, limits, clock } = this.#context;
    const request = this.#request;
    const resolved = resolveApp(targets, this.#route.path);
    this.#path = resolved.appPath.path;
    this.#target = resolved.target;
    const admitted = await admitCall(resolved, request.headers, authenticator);
    if (this.#phase === 'over') return;
    this.#principal = admitted.principal;

    const bodyKind = readBodyKind(request);
    if (bodyKind.kind === 'sized' && bodyKind.sizeBytes > limits.maxBodyBytes) throw bodyTooLarge(limits.maxBodyBytes);
    if (bodyKind.kind === 'sized' && bodyKind.sizeBytes <= limits.bufferedBodyBytes)
      this.#body = await readSmallBody(request);
    if ((this.#phase as string) === 'over') return;

    this.#phase = 'waiting';
    const slot = await acquireSlot(dispatcher, admitted, {
      requestId: this.#requestId,
      startedAtMs: this.#startedAtMs,
      signal: this.#abort.signal,
    });
    this.#waitMs = clock.monotonicMs() - this.#startedAtMs;
    if ((this.#phase as string) === 'over') {
      slot.release({ kind: 'abandoned' });
      return;
    }
    this.#slot = slot;
    this.#runnerId = slot.runnerId;
    this.#phase = 'sent';
    if (bodyKind.kind !== 'none' && this.#body === null) {
      this.#body = new CallerBody(request, {
        maxBytes: limits.maxBodyBytes,
        onTooLarge: () => this.#fail(bodyTooLarge(limits.maxBodyBytes)),
        onStreamed: this.#context.onStreamed,
      });
    }
    this.#send(slot, admitted.target, admitted.query);
  }

  #send(slot: Slot, target: Target, query: string): void {
    const { transport, clock } = this.#context;
    const headers = toRunnerHeaders(this.#request, {
      requestId: this.#requestId,
      endpoint: this.#endpoint(),
      callerUserId: toCallerUserId(target.accountId, this.#principal),
      origin: this.#route.origin,
    });
    this.#deadline = clock.setTimer(target.requestTimeoutSeconds * 1000, () => this.#onRequestTimeout());
    this.#exchange = transport.send(
      slot,
      { method: this.#request.method!, path: this.#path + withoutQueryToken(query), headers, body: this.#body },
      this,
    );
  }

  onHead(status: number, reason: string, upstreamHeaders: UpstreamHeaders): void {
    const slot = this.#slot!;
    this.#firstByteMs = this.#context.clock.monotonicMs() - this.#startedAtMs - this.#waitMs!;
    this.#verdict = readVerdict(upstreamHeaders);
    const headers = toCallerHeaders(upstreamHeaders, {
      status,
      requestId: this.#requestId,
      runnerId: slot.runnerId,
      isCrossOrigin: this.#request.headers.origin !== undefined,
    });
    const { location } = headers;
    if (typeof location === 'string') {
      headers['location'] = toPublicSlashRedirect(location, this.#path, this.#publicUrl()) ?? location;
    }
    try {
      if (isHttp2Response(this.#response)) this.#response.writeHead(status, headers);
      else if (reason === '') this.#response.writeHead(status, headers);
      else this.#response.writeHead(status, reason, headers);
    } catch (cause) {
      this.#exchange?.abort();
      this.onFailure({ kind: 'bad-answer', cause });
      return;
    }
    this.#status = status;
    this.#phase = 'answering';
    // What belongs to the head usually comes with it; if not, see below.
    process.nextTick(flushHead, this, headers['content-length'] === undefined);
  }

  static {
    flushHead = (call, isOpenEnded) => {
      const response = call.#response;
      // HTTP/2 sends a head at once by itself.
      if (call.#phase !== 'answering' || call.#responseBytes > 0 || isHttp2Response(response)) return;
      if (isOpenEnded) response.flushHeaders();
      else call.#headTimer = call.#context.clock.setTimer(headDelayMs, () => flushHead(call, true));
    };
  }

  onData(chunk: Buffer): void {
    this.#headTimer?.cancel();
    this.#headTimer = null;
    this.#responseBytes += chunk.length;
    this.#context.onStreamed(chunk.length);
    const response = this.#response as NodeJS.WritableStream;
    if (response.write(chunk)) return;
    this.#exchange?.pause();
    this.#isPaused = true;
    if (this.#isDrainWatched) return;
    this.#isDrainWatched = true;
    response.on('drain', () => {
      if (!this.#isPaused) return;
      this.#isPaused = false;
      this.#exchange?.resume();
    });
  }

  onEnd(trailers: UpstreamHeaders): void {
    const outcome = decideSlotOutcome(this.#status, this.#verdict!);
    this.#settle(outcome);
    for (const _ in trailers) {
      this.#response.addTrailers(trailers as Record<string, string>);
      break;
    }
    this.#response.end();
    if (this.#body instanceof CallerBody) discardBody(this.#request, this.#response, this.#context.limits.discardBytes);
  }

  onFailure(failure: UpstreamFailure): void {
    // A request that could not be written says nothing about the runner.
    const outcome: SlotOutcome = failure.kind === 'bad-request' ? { kind: 'done' } : { kind: 'connection-failed' };
    this.#fail(toGatewayError(failure), outcome);
  }

  #onRequestTimeout(): void {
    const seconds = this.#target!.requestTimeoutSeconds;
    this.#fail(
      new LannerError('request_timeout', `The app did not finish within its request_timeout of ${seconds} s.`),
      { kind: 'terminate', reason: `request_timeout of ${seconds} s exceeded` },
    );
  }

  /** Ends the call with an error: told to the caller while that is possible, else by breaking the answer off. */
  #fail(cause: unknown, outcome: SlotOutcome = { kind: 'abandoned' }): void {
    if (this.#phase === 'over') return;
    const hasBegun = this.#phase === 'answering';
    const error = toLannerError(cause);
    if (!isLannerError(cause))
      this.#context.log.error({ err: cause, requestId: this.#requestId }, 'request hit a defect');
    this.#error = error;
    this.#exchange?.abort();
    this.#settle(outcome);
    this.#abort.abort(error);
    if (hasBegun) {
      breakAnswer(this.#response);
      return;
    }
    this.#status = error.entry.httpStatus;
    const answer = sendError(this.#response, error, this.#requestId);
    this.#responseBytes = answer.body.length;
    discardBody(this.#request, this.#response, this.#context.limits.discardBytes);
  }

  /** The connection is over: the normal end of every call, or the caller leaving in the middle of it. */
  #onCallerClosed(): void {
    if (this.#phase !== 'over') this.#onCallerGone();
    this.#log();
    this.#context.calls.delete(this);
  }

  #onCallerGone(): void {
    const { transport, clock, limits } = this.#context;
    const wasSent = this.#phase === 'sent' || this.#phase === 'answering';
    this.#isCallerGone = true;
    this.#error = new LannerError('client_disconnected', 'The caller went away.');
    if (!wasSent) {
      this.#settle({ kind: 'abandoned' });
      this.#abort.abort(this.#error);
      return;
    }
    // The slot stays taken until the app knows: it may be busy with this request until then.
    const slot = this.#slot!;
    this.#slot = null;
    this.#settle({ kind: 'abandoned' });
    cancelOnRunner({
      transport,
      clock,
      runner: slot,
      path: this.#path,
      requestId: this.#requestId,
      endpoint: this.#endpoint(),
      timeoutMs: limits.cancelTimeoutMs,
      onDone: () => slot.release({ kind: 'abandoned' }),
    });
    this.#exchange?.abort();
  }

  /** Leaves the last phase but one, and gives the slot back if the call holds one. */
  #settle(outcome: SlotOutcome): void {
    this.#phase = 'over';
    this.#deadline?.cancel();
    this.#headTimer?.cancel();
    if (this.#body instanceof CallerBody) this.#body.destroy();
    const slot = this.#slot;
    this.#slot = null;
    if (slot === null) return;
    slot.release(outcome);
  }

  #endpoint(): string {
    return `${this.#target!.ownerNickname}/${this.#target!.name}${this.#path}`;
  }

  /** Where the app is for this caller. */
  #publicUrl(): string {
    const { scheme, hosts } = this.#route.origin;
    return `${scheme}://${hosts.runHost}/${this.#target!.ownerNickname}/${this.#target!.name}`;
  }

  #log(): void {
    const { clock, writeAccessLog } = this.#context;
    const error = this.#error;
    const target = this.#target;
    writeAccessLog(
      {
        requestId: this.#requestId,
        role: 'run',
        method: this.#request.method ?? '',
        app: target === null ? undefined : `${target.ownerNickname}/${target.name}`,
        path: this.#path,
        protocol: this.#request.httpVersion,
        status: this.#isCallerGone && this.#status === 0 ? 499 : this.#status,
        errorCode: error?.code,
        cause: error?.cause === undefined ? undefined : String(error.cause),
        callerAccountId: this.#principal?.accountId,
        runnerId: this.#runnerId,
        requestBytes: Buffer.isBuffer(this.#body) ? this.#body.length : (this.#body?.bytesRead ?? 0),
        responseBytes: this.#responseBytes,
        waitMs: round(this.#waitMs),
        firstByteMs: round(this.#firstByteMs),
        totalMs: round(clock.monotonicMs() - this.#startedAtMs)!,
      },
      error?.entry.fault === 'platform',
    );
  }
}

function bodyTooLarge(maxBytes: number): LannerError {
  return new LannerError(
    'payload_too_large',
    `The request body is larger than ${maxBytes} bytes. Upload the file and send its URL.`,
  );
}

function round(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 100) / 100;
}
