import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LannerError, isLannerError, toLannerError, type Timer } from '@lanner/protocol';
import type { Principal } from '../auth/principal.ts';
import type { Route } from '../ports/route.ts';
import type { Slot, SlotOutcome, Target } from '../scheduler/dispatcher.ts';
import { acquireSlot, admitCall } from './admit-call.ts';
import { toCallerUserId } from './caller-identity.ts';
import { readVerdict, toCallerHeaders } from './caller-response-headers.ts';
import { decideSlotOutcome } from './decide-slot-outcome.ts';
import type { GatewayContext } from './gateway-context.ts';
import { writeRawError, writeRawHead } from './raw-answer.ts';
import { withoutQueryToken } from './read-credential.ts';
import { resolveApp } from './resolve-app.ts';
import { toRunnerHeaders } from './runner-request-headers.ts';
import { toFailureKind } from './to-failure-kind.ts';
import { toGatewayError } from './to-gateway-error.ts';

/** How long a caller may take to close its side after the app has closed its own. */
const lingerMs = 5_000;

/**
 * One WebSocket of the run role (data-plane 5.2, 5.3). The handshake is repeated to the runner; after its 101 the two
 * connections are joined and bytes pass both ways untouched. The slot is held until the connection ends.
 */
export class UpgradeCall {
  readonly #context: GatewayContext;
  readonly #request: IncomingMessage;
  readonly #socket: Duplex;
  readonly #route: Route;
  readonly #requestId: string;
  readonly #startedAtMs: number;
  readonly #abort = new AbortController();

  #isOver = false;
  #target: Target | null = null;
  #principal: Principal | null = null;
  #path = '';
  #slot: Slot | null = null;
  #runnerId: string | undefined;
  #upstreamRequest: ClientRequest | null = null;
  #upstream: Duplex | null = null;
  #hasAnswered = false;
  #status = 0;
  #error: LannerError | null = null;
  #deadline: Timer | null = null;
  #waitMs: number | undefined;
  #bytes = { fromCaller: 0, toCaller: 0 };

  constructor(context: GatewayContext, request: IncomingMessage, socket: Duplex, route: Route, requestId: string) {
    this.#context = context;
    this.#request = request;
    this.#socket = socket;
    this.#route = route;
    this.#requestId = requestId;
    this.#startedAtMs = context.clock.monotonicMs();
    socket.on('close', () => this.#onCallerClosed());
    socket.on('error', () => {});
    // Without reading, a caller that leaves while it waits would not be noticed.
    socket.on('readable', noop);
    socket.on('end', () => {
      if (this.#upstream === null) socket.destroy();
    });
  }

  /** Runs the call until the two sides are joined. Never rejects. `head`: bytes that came right behind the handshake. */
  async start(head: Buffer): Promise<void> {
    try {
      await this.#open(head);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the call for the sake of a shutdown. */
  shutDown(): void {
    this.#fail(new LannerError('shutting_down', 'The server is stopping. Try again in a moment.'));
  }

  async #open(head: Buffer): Promise<void> {
    const { targets, dispatcher, authenticator, clock, limits } = this.#context;
    const request = this.#request;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new LannerError(
        'bad_request',
        `Upgrade to '${String(request.headers.upgrade)}' is not possible; only to 'websocket'.`,
      );
    }
    const resolved = resolveApp(targets, this.#route.path);
    this.#path = resolved.appPath.path;
    this.#target = resolved.target;
    const admitted = await admitCall(resolved, request.headers, authenticator);
    const { target, principal, query } = admitted;
    this.#principal = principal;
    if (this.#isOver) return;
    const slot = await acquireSlot(dispatcher, admitted, {
      requestId: this.#requestId,
      startedAtMs: this.#startedAtMs,
      signal: this.#abort.signal,
    });
    this.#waitMs = clock.monotonicMs() - this.#startedAtMs;
    if (this.#isOver) {
      slot.release({ kind: 'abandoned' });
      return;
    }
    this.#slot = slot;
    this.#runnerId = slot.runnerId;
    this.#deadline = clock.setTimer(target.requestTimeoutSeconds * 1000, () => this.#onRequestTimeout());

    const upstreamRequest = httpRequest({
      host: slot.host,
      port: slot.port,
      agent: false,
      method: 'GET',
      path: this.#path + withoutQueryToken(query),
      maxHeaderSize: limits.maxResponseHeaderBytes,
      headers: [
        ...toRunnerHeaders(request, {
          requestId: this.#requestId,
          endpoint: `${target.ownerNickname}/${target.name}${this.#path}`,
          callerUserId: toCallerUserId(target.accountId, principal),
          origin: this.#route.origin,
        }),
        'connection',
        'upgrade',
        'upgrade',
        'websocket',
      ],
    });
    this.#upstreamRequest = upstreamRequest;
    const connectTimer = clock.setTimer(limits.connectTimeoutMs, () => {
      upstreamRequest.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
    });
    upstreamRequest.on('socket', (socket) => socket.once('connect', () => connectTimer.cancel()));
    upstreamRequest.on('close', () => connectTimer.cancel());
    upstreamRequest.on('upgrade', (answer, upstream, upstreamHead) => this.#join(answer, upstream, upstreamHead, head));
    upstreamRequest.on('response', (answer) => this.#refuse(answer));
    upstreamRequest.on('error', (cause) => {
      this.#fail(toGatewayError({ kind: toFailureKind(cause), cause }), { kind: 'connection-failed' });
    });
    upstreamRequest.end();
  }

  #join(answer: IncomingMessage, upstream: Duplex, upstreamHead: Buffer, head: Buffer): void {
    if (this.#isOver) {
      upstream.destroy();
      return;
    }
    const socket = this.#socket;
    this.#upstream = upstream;
    this.#status = answer.statusCode!;
    this.#hasAnswered = true;
    socket.off('readable', noop);
    const headers = { ...this.#callerHeaders(answer), connection: 'upgrade', upgrade: 'websocket' };
    writeRawHead(socket, 101, answer.statusMessage ?? 'Switching Protocols', headers);
    // Before anything listens: once somebody does, it would be emitted at once, and lost for the pipe.
    if (upstreamHead.length > 0) upstream.unshift(upstreamHead);
    upstream.on('error', () => upstream.destroy());
    upstream.on('close', () => this.#onUpstreamClosed());
    const { onStreamed } = this.#context;
    upstream.on('data', (chunk: Buffer) => {
      this.#bytes.toCaller += chunk.length;
      onStreamed(chunk.length);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#bytes.fromCaller += chunk.length;
      onStreamed(chunk.length);
    });
    if (head.length > 0) {
      this.#bytes.fromCaller += head.length;
      upstream.write(head);
    }
    upstream.pipe(socket);
    socket.pipe(upstream);
  }

  /** The app answered the handshake with an ordinary response; the caller gets it as it is. */
  #refuse(answer: IncomingMessage): void {
    if (this.#isOver) return;
    this.#hasAnswered = true;
    this.#status = answer.statusCode!;
    const verdict = readVerdict(answer.headers);
    writeRawHead(this.#socket, this.#status, answer.statusMessage ?? '', {
      ...this.#callerHeaders(answer),
      connection: 'close',
    });
    answer.on('data', (chunk: Buffer) => void (this.#bytes.toCaller += chunk.length));
    answer.on('end', () => {
      this.#settle(decideSlotOutcome(this.#status, verdict));
      this.#socket.end();
    });
    answer.on('error', (cause) =>
      this.#fail(toGatewayError({ kind: 'bad-answer', cause }), { kind: 'connection-failed' }),
    );
    answer.pipe(this.#socket, { end: false });
  }

  #callerHeaders(answer: IncomingMessage): ReturnType<typeof toCallerHeaders> {
    return toCallerHeaders(answer.headers, {
      status: answer.statusCode!,
      requestId: this.#requestId,
      runnerId: this.#runnerId!,
      isCrossOrigin: this.#request.headers.origin !== undefined,
    });
  }

  #onUpstreamClosed(): void {
    this.#settle({ kind: 'done' });
    this.#socket.end();
    const timer = this.#context.clock.setTimer(lingerMs, () => this.#socket.destroy());
    this.#socket.on('close', () => timer.cancel());
  }

  #onRequestTimeout(): void {
    const seconds = this.#target!.requestTimeoutSeconds;
    const error = new LannerError(
      'request_timeout',
      `The connection lasted longer than the app's request_timeout of ${seconds} s.`,
    );
    // A long session is no sign of a sick runner, and others may share it.
    this.#fail(
      error,
      this.#hasAnswered ? { kind: 'done' } : { kind: 'terminate', reason: `request_timeout of ${seconds} s exceeded` },
    );
  }

  #fail(cause: unknown, outcome: SlotOutcome = { kind: 'abandoned' }): void {
    if (this.#isOver) return;
    const error = toLannerError(cause);
    if (!isLannerError(cause))
      this.#context.log.error({ err: cause, requestId: this.#requestId }, 'upgrade hit a defect');
    this.#error = error;
    this.#settle(outcome);
    this.#abort.abort(error);
    if (this.#hasAnswered) {
      this.#socket.destroy();
      return;
    }
    this.#status = error.entry.httpStatus;
    writeRawError(this.#socket, error, this.#requestId);
    const timer = this.#context.clock.setTimer(lingerMs, () => this.#socket.destroy());
    this.#socket.on('close', () => timer.cancel());
    this.#socket.resume();
  }

  #onCallerClosed(): void {
    if (!this.#isOver) {
      const error = new LannerError('client_disconnected', 'The caller went away.');
      if (!this.#hasAnswered) this.#error = error;
      this.#settle(this.#hasAnswered ? { kind: 'done' } : { kind: 'abandoned' });
      this.#abort.abort(error);
    }
    this.#log();
    this.#context.calls.delete(this);
  }

  #settle(outcome: SlotOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline?.cancel();
    this.#upstreamRequest?.destroy();
    this.#upstream?.destroy();
    const slot = this.#slot;
    this.#slot = null;
    slot?.release(outcome);
  }

  #log(): void {
    const { clock, writeAccessLog } = this.#context;
    const target = this.#target;
    writeAccessLog(
      {
        requestId: this.#requestId,
        role: 'run',
        method: this.#request.method ?? '',
        app: target === null ? undefined : `${target.ownerNickname}/${target.name}`,
        path: this.#path,
        protocol: 'websocket',
        status: this.#status === 0 ? 499 : this.#status,
        errorCode: this.#error?.code,
        cause: this.#error?.cause === undefined ? undefined : String(this.#error.cause),
        callerAccountId: this.#principal?.accountId,
        runnerId: this.#runnerId,
        requestBytes: this.#bytes.fromCaller,
        responseBytes: this.#bytes.toCaller,
        waitMs: this.#waitMs === undefined ? undefined : Math.round(this.#waitMs * 100) / 100,
        totalMs: Math.round((clock.monotonicMs() - this.#startedAtMs) * 100) / 100,
      },
      this.#error?.entry.fault === 'platform',
    );
  }
}

function noop(): void {}
