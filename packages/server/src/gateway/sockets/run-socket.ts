import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LannerError, type Timer } from '@lanner/protocol';
import { toCallerUserId } from '../caller-identity.ts';
import { readVerdict, toCallerHeaders } from '../caller-response-headers.ts';
import type { SlotOutcome } from '../../scheduler/dispatcher.ts';
import { decideSlotOutcome } from '../decide-slot-outcome.ts';
import { writeRawHead } from '../raw-answer.ts';
import { withoutQueryToken } from '../read-credential.ts';
import { toRunnerHeaders } from '../runner-request-headers.ts';
import { toGatewayError } from '../to-gateway-error.ts';
import { closeCodes, type CloseCode } from './frames.ts';
import { toUpgradeHeaders } from './handshake-headers.ts';
import { isBlindToRefusals } from './refuse-in-band.ts';
import { SocketRelay } from './socket-relay.ts';
import type { OpenedSocket, ServeSocket, SocketEvents, SocketSession } from './socket-session.ts';
import { toHandshakeFailure } from './to-handshake-failure.ts';
import { ownProtocol } from './token-protocol.ts';

/**
 * A WebSocket of the run role (data-plane 5.2, 5.3): the handshake is repeated to the runner, and after its 101 the two
 * connections are joined. `request_timeout` of the app bounds the whole session (platform-semantics 7).
 */
export const serveRunSocket: ServeSocket = (opened) => new RunSocket(opened);

/** A class, so that an open connection holds nothing of its handshake any more: idle ones are many. */
class RunSocket implements SocketSession {
  readonly #events: SocketEvents;
  readonly #deadline: Timer;
  /** Until the two sides are joined. */
  #handshake: { opened: OpenedSocket; attempt: ClientRequest } | null;
  #relay: SocketRelay | null = null;
  #isOver = false;

  constructor(opened: OpenedSocket) {
    const { requestTimeoutSeconds: seconds } = opened.admitted.target;
    this.#events = opened.events;
    this.#deadline = opened.context.clock.setTimer(seconds * 1000, () => this.#onDeadline(seconds));
    this.#handshake = { opened, attempt: shakeHands(opened, this) };
  }

  close(code: CloseCode, reason: string): void {
    if (this.#relay !== null) this.#relay.close(code, reason);
    else this.#settle();
  }

  onFailure(cause: unknown): void {
    this.#refuse(toGatewayError({ kind: toHandshakeFailure(cause), cause }), { kind: 'connection-failed' });
  }

  onJoin(answer: IncomingMessage, app: Duplex, appHead: Buffer): void {
    if (this.#isOver || this.#handshake === null) {
      app.destroy();
      return;
    }
    const { opened } = this.#handshake;
    this.#handshake = null;
    acceptLike(opened, answer);
    const { context, socket } = opened;
    this.#relay = new SocketRelay(
      {
        caller: socket,
        app,
        clock: context.clock,
        maxMessageBytes: context.limits.maxSocketMessageBytes,
        idleMs: context.limits.socketIdleMs,
        lingerMs: context.limits.socketLingerMs,
        onChunk: (bytes, from) => this.#events.onBytes(bytes, from),
        onAppGone: (isAppLost) => {
          if (this.#settle()) this.#events.onRunnerFree({ kind: isAppLost ? 'connection-failed' : 'done' });
        },
      },
      { fromCaller: opened.head, fromApp: appHead },
    );
  }

  /** The app answered with an ordinary response: the caller gets it as it is, or is told of it where it could not read it. */
  onRefusal(answer: IncomingMessage): void {
    if (this.#isOver || this.#handshake === null) return;
    const { opened } = this.#handshake;
    const { request, socket } = opened;
    const status = answer.statusCode!;
    const outcome = decideSlotOutcome(status, readVerdict(answer.headers));
    if (isBlindToRefusals(request)) {
      answer.resume();
      const text = `The app refused the connection with status ${status}.`;
      this.#refuse(new LannerError('app_refused_socket', text), outcome);
      return;
    }
    writeRawHead(socket, status, answer.statusMessage ?? '', { ...callerHeaders(opened, answer), connection: 'close' });
    this.#events.onAnswered(status);
    const finish = (of: SlotOutcome): void => {
      if (this.#settle()) this.#events.onRunnerFree(of);
    };
    answer.on('data', (chunk: Buffer) => this.#events.onBytes(chunk.length, 'app'));
    answer.on('end', () => {
      finish(outcome);
      socket.end();
    });
    answer.on('error', () => {
      finish({ kind: 'connection-failed' });
      socket.destroy();
    });
    answer.pipe(socket, { end: false });
  }

  #onDeadline(seconds: number): void {
    const text = `The connection lasted longer than the app's request_timeout of ${seconds} s.`;
    // A long session is no sign of a sick runner, and others may share it; no answer at all is one.
    if (this.#relay !== null) this.#relay.close(closeCodes.timeout, text);
    else {
      const reason = `request_timeout of ${seconds} s exceeded`;
      this.#refuse(new LannerError('request_timeout', text), { kind: 'terminate', reason });
    }
  }

  #refuse(error: LannerError, outcome: SlotOutcome): void {
    if (this.#settle()) this.#events.onRefused(error, outcome);
  }

  #settle(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline.cancel();
    this.#handshake?.attempt.destroy();
    return true;
  }
}

interface HandshakeEvents {
  onJoin(answer: IncomingMessage, app: Duplex, appHead: Buffer): void;
  /** An ordinary answer instead of 101. */
  onRefusal(answer: IncomingMessage): void;
  onFailure(cause: unknown): void;
}

/** Repeats the caller's handshake to the runner. */
function shakeHands(opened: OpenedSocket, events: HandshakeEvents): ClientRequest {
  const { context, request, route, requestId, admitted, slot, endpoint } = opened;
  const { clock, limits } = context;
  const attempt = httpRequest({
    host: slot.host,
    port: slot.port,
    agent: false,
    method: 'GET',
    path: admitted.path + withoutQueryToken(admitted.query),
    maxHeaderSize: limits.maxResponseHeaderBytes,
    headers: [
      ...toUpgradeHeaders(
        toRunnerHeaders(request, {
          requestId,
          endpoint,
          callerUserId: toCallerUserId(admitted.target.accountId, admitted.principal),
          origin: route.origin,
        }),
      ),
      'connection',
      'upgrade',
      'upgrade',
      'websocket',
    ],
  });
  const connectTimer: Timer = clock.setTimer(limits.connectTimeoutMs, () => {
    attempt.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }));
  });
  attempt.on('socket', (socket) => socket.once('connect', () => connectTimer.cancel()));
  attempt.on('close', () => connectTimer.cancel());
  attempt.on('upgrade', (answer: IncomingMessage, app: Duplex, head: Buffer) => events.onJoin(answer, app, head));
  attempt.on('response', (answer) => events.onRefusal(answer));
  attempt.on('error', (cause) => events.onFailure(cause));
  attempt.end();
  return attempt;
}

/** Answers the caller's handshake as the app has answered ours. */
function acceptLike(opened: OpenedSocket, answer: IncomingMessage): void {
  const protocol =
    answer.headers['sec-websocket-protocol'] ?? ownProtocol(opened.request.headers['sec-websocket-protocol']);
  writeRawHead(opened.socket, 101, answer.statusMessage ?? 'Switching Protocols', {
    ...callerHeaders(opened, answer),
    connection: 'upgrade',
    upgrade: 'websocket',
    ...(protocol === null ? {} : { 'sec-websocket-protocol': protocol }),
  });
  opened.events.onAnswered(101);
}

function callerHeaders(opened: OpenedSocket, answer: IncomingMessage): ReturnType<typeof toCallerHeaders> {
  return toCallerHeaders(answer.headers, {
    status: answer.statusCode!,
    requestId: opened.requestId,
    runnerId: opened.slot.runnerId,
    isCrossOrigin: opened.request.headers.origin !== undefined,
  });
}
