import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isLannerError, LannerError, toLannerError } from '@lanner/protocol';
import type { Route } from '../../ports/route.ts';
import type { Slot, SlotOutcome } from '../../scheduler/dispatcher.ts';
import { acquireSlot, admitCall } from '../admit-call.ts';
import type { GatewayContext } from '../gateway-context.ts';
import type { LiveCall } from '../live-calls.ts';
import { writeRawError } from '../raw-answer.ts';
import { resolveApp } from '../resolve-app.ts';
import { closeCodes } from './frames.ts';
import { isBlindToRefusals, refuseInBand } from './refuse-in-band.ts';
import type { ServeSocket, SocketEvents, SocketSession } from './socket-session.ts';

/** What is worth knowing about a socket when it is over. */
interface SocketRecord {
  app: string | undefined;
  path: string;
  callerAccountId: string | undefined;
  runnerId: string | undefined;
  waitMs: number | undefined;
}

/**
 * One WebSocket, from its handshake to its end: who calls, a slot, and then a session that carries the traffic.
 *
 * ```
 * opening ──> served ──> over
 *    └──────────────────^   refused, caller gone, shutdown
 * ```
 *
 * A caller that waits for a runner is demand like any other. The slot is held until the session gives the runner back; the
 * line of the access log is written when the caller's connection is closed and the runner is free.
 */
export class SocketCall implements LiveCall, SocketEvents {
  readonly #context: GatewayContext;
  readonly #socket: Duplex;
  readonly #role: Route['role'];
  readonly #requestId: string;
  readonly #startedAtMs: number;
  readonly #record: SocketRecord = {
    app: undefined,
    path: '',
    callerAccountId: undefined,
    runnerId: undefined,
    waitMs: undefined,
  };

  /** While the handshake is open. */
  #opening: { request: IncomingMessage; route: Route; abort: AbortController } | null;
  #session: SocketSession | null = null;
  #slot: Slot | null = null;
  #status = 0;
  #error: LannerError | null = null;
  #bytesFromCaller = 0;
  #bytesToCaller = 0;
  #isCallerClosed = false;
  #isRunnerFree = true;

  constructor(context: GatewayContext, request: IncomingMessage, socket: Duplex, route: Route, requestId: string) {
    this.#context = context;
    this.#opening = { request, route, abort: new AbortController() };
    this.#socket = socket;
    this.#role = route.role;
    this.#requestId = requestId;
    this.#startedAtMs = context.clock.monotonicMs();
    socket.on('error', () => {});
    socket.on('close', () => this.#onCallerClosed());
    // Without reading, a caller that leaves while it waits would not be noticed.
    socket.on('readable', noop);
    socket.on('end', destroyThis);
    if ('setKeepAlive' in socket)
      (socket as Duplex & { setKeepAlive(on: boolean, ms: number): void }).setKeepAlive(true, 60_000);
  }

  /** Runs the call until a session serves it. Never rejects. `head`: bytes that came right behind the handshake. */
  async start(head: Buffer, serve: ServeSocket): Promise<void> {
    try {
      await this.#open(head, serve);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Ends the call for the sake of a shutdown. */
  shutDown(): void {
    if (this.#opening !== null) {
      this.#session?.close(closeCodes.goingAway, '');
      this.onRefused(new LannerError('shutting_down', 'The server is stopping. Try again in a moment.'), {
        kind: 'abandoned',
      });
    } else {
      this.#session?.close(closeCodes.goingAway, 'The server is stopping.');
    }
  }

  onRunnerGone(runnerId: string): void {
    if (this.#slot !== null && this.#record.runnerId === runnerId) this.#session?.onRunnerGone?.();
  }

  async #open(head: Buffer, serve: ServeSocket): Promise<void> {
    const { targets, dispatcher, authenticator, clock } = this.#context;
    const { request, route, abort } = this.#opening!;
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new LannerError(
        'bad_request',
        `Upgrade to '${String(request.headers.upgrade)}' is not possible; only to 'websocket'.`,
      );
    }
    const resolved = resolveApp(targets, route.path);
    const app = resolved.target === null ? undefined : `${resolved.target.ownerNickname}/${resolved.target.name}`;
    this.#record.app = app;
    this.#record.path = resolved.appPath.path;
    const admitted = await admitCall(resolved, request.headers, authenticator);
    this.#record.callerAccountId = admitted.principal?.accountId;
    if (this.#opening === null) return;
    const slot = await acquireSlot(dispatcher, admitted, {
      requestId: this.#requestId,
      startedAtMs: this.#startedAtMs,
      signal: abort.signal,
    });
    this.#record.waitMs = clock.monotonicMs() - this.#startedAtMs;
    if ((this.#opening as object | null) === null) {
      slot.release({ kind: 'abandoned' });
      return;
    }
    this.#slot = slot;
    this.#isRunnerFree = false;
    this.#record.runnerId = slot.runnerId;
    this.#session = serve({
      context: this.#context,
      request,
      socket: this.#socket,
      head,
      route,
      requestId: this.#requestId,
      admitted,
      endpoint: `${app}${admitted.path}`,
      slot,
      events: this,
    });
  }

  onAnswered(status: number): void {
    this.#status = status;
    this.#leaveOpening();
  }

  onRefused(error: LannerError, outcome: SlotOutcome): void {
    const opening = this.#opening;
    if (opening === null) return;
    this.#leaveOpening();
    this.#error = error;
    this.#status = error.entry.httpStatus;
    this.#freeRunner(outcome);
    opening.abort.abort(error);
    const { request } = opening;
    if (isBlindToRefusals(request)) refuseInBand(this.#socket, request, error, this.#requestId);
    else writeRawError(this.#socket, error, this.#requestId);
    const { clock, limits } = this.#context;
    const timer = clock.setTimer(limits.socketLingerMs, () => this.#socket.destroy());
    this.#socket.on('close', () => timer.cancel());
    this.#socket.on('end', destroyThis);
    this.#socket.resume();
  }

  onBytes(bytes: number, from: 'caller' | 'app'): void {
    if (from === 'caller') this.#bytesFromCaller += bytes;
    else this.#bytesToCaller += bytes;
    this.#context.onStreamed(bytes);
  }

  onRunnerFree(outcome: SlotOutcome): void {
    this.#freeRunner(outcome);
    this.#finish();
  }

  #leaveOpening(): void {
    this.#opening = null;
    this.#socket.off('readable', noop);
    this.#socket.off('end', destroyThis);
  }

  #refuse(cause: unknown): void {
    if (!isLannerError(cause) && this.#opening !== null) {
      this.#context.log.error({ err: cause, requestId: this.#requestId }, 'socket hit a defect');
    }
    this.onRefused(toLannerError(cause), { kind: 'abandoned' });
  }

  #onCallerClosed(): void {
    this.#isCallerClosed = true;
    const opening = this.#opening;
    if (opening !== null) {
      this.#opening = null;
      this.#error = new LannerError('client_disconnected', 'The caller went away.');
      this.#session?.close(closeCodes.goingAway, '');
      this.#freeRunner({ kind: 'abandoned' });
      opening.abort.abort(this.#error);
    }
    this.#finish();
  }

  #freeRunner(outcome: SlotOutcome): void {
    this.#isRunnerFree = true;
    const slot = this.#slot;
    this.#slot = null;
    slot?.release(outcome);
  }

  #finish(): void {
    if (!this.#isCallerClosed || !this.#isRunnerFree || !this.#context.calls.delete(this)) return;
    const { clock, writeAccessLog } = this.#context;
    const { app, path, callerAccountId, runnerId, waitMs } = this.#record;
    writeAccessLog(
      {
        requestId: this.#requestId,
        role: this.#role,
        method: 'GET',
        app,
        path,
        protocol: 'websocket',
        status: this.#status === 0 ? 499 : this.#status,
        errorCode: this.#error?.code,
        cause: this.#error?.cause === undefined ? undefined : String(this.#error.cause),
        callerAccountId,
        runnerId,
        requestBytes: this.#bytesFromCaller,
        responseBytes: this.#bytesToCaller,
        waitMs: waitMs === undefined ? undefined : Math.round(waitMs * 100) / 100,
        totalMs: Math.round((clock.monotonicMs() - this.#startedAtMs) * 100) / 100,
      },
      this.#error?.entry.fault === 'platform',
    );
  }
}

function noop(): void {}

function destroyThis(this: Duplex): void {
  this.destroy();
}
