import type { IncomingMessage } from 'node:http';
import type { Timer } from '@lanner/protocol';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { SlotOutcome } from '../../scheduler/dispatcher.ts';
import { toCallerUserId } from '../caller-identity.ts';
import { withoutQueryToken } from '../read-credential.ts';
import { toRunnerHeaders } from '../runner-request-headers.ts';
import { closeCodes, type CloseCode } from './frames.ts';
import { toRequestHeaders } from './handshake-headers.ts';
import { HttpExchange, type ExchangeEnd, type MessageSink } from './http-exchange.ts';
import type { OpenedSocket, ServeSocket, SocketSession } from './socket-session.ts';
import { ownProtocol } from './token-protocol.ts';

/** Requests that may wait behind the one under way, and their bytes; beyond that the caller is not read. */
const mostWaiting = 1_000;
const mostWaitingBytes = 8 * 1024 ** 2;
/** How much of an answer may be on its way to a slow caller. */
const mostSendingBytes = 1024 ** 2;
const goneReason = 'The runner of this connection is gone. Connect again.';

/**
 * HTTP over WebSocket (data-plane 5.1): every message of the caller is one request to the path of the handshake, and the
 * answers come back in order. The connection keeps its runner, so requests of one connection meet the same state.
 *
 * @param maxMessageBytes a larger message closes the connection with 1009.
 */
export function createHttpSocketServer(maxMessageBytes: number): ServeSocket {
  const answerHeaders = new WeakMap<IncomingMessage, string[]>();
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) => ownProtocol([...offered].join(',')) ?? false,
  });
  server.on('headers', (headers: string[], request: IncomingMessage) => {
    headers.push(...(answerHeaders.get(request) ?? []));
  });
  return (opened) => {
    const session = new HttpSocket(opened);
    const { request, socket, head, requestId, slot } = opened;
    answerHeaders.set(request, [`x-fal-request-id: ${requestId}`, `x-fal-served-from: ${slot.runnerId}`]);
    // After this function has returned, as sessions promise.
    queueMicrotask(() => session.accept(() => server.handleUpgrade(request, socket, head, (ws) => session.onOpen(ws))));
    return session;
  };
}

class HttpSocket implements SocketSession, MessageSink {
  readonly #opened: OpenedSocket;
  readonly #headers: readonly string[];
  #ws: WebSocket | null = null;
  #waiting: { body: Buffer; contentType: string }[] = [];
  #waitingBytes = 0;
  #sendingBytes = 0;
  #isFull = false;
  #current: HttpExchange | null = null;
  /** The most telling outcome so far: what the runner gets when it is given back. */
  #outcome: SlotOutcome = { kind: 'done' };
  #isOver = false;
  #idle: Timer | null = null;

  constructor(opened: OpenedSocket) {
    const { admitted, request, requestId, endpoint, route } = opened;
    const { target, principal } = admitted;
    this.#opened = { ...opened, admitted: { ...admitted, query: withoutQueryToken(admitted.query) } };
    this.#headers = toRequestHeaders(
      toRunnerHeaders(request, {
        requestId,
        endpoint,
        callerUserId: toCallerUserId(target.accountId, principal),
        origin: route.origin,
      }),
    );
  }

  accept(handshake: () => void): void {
    if (this.#isOver) return;
    // From here on the library owns the socket: what it refuses itself (no key, wrong version), it also answers.
    this.#opened.events.onAnswered(101);
    handshake();
    if (this.#ws === null) this.#end();
  }

  onOpen(ws: WebSocket): void {
    this.#ws = ws;
    ws.on('error', () => {});
    ws.on('message', (data: RawData, isBinary: boolean) => this.#onMessage(data as Buffer, isBinary));
    ws.on('close', () => this.#onClose());
    this.#watchIdle();
  }

  close(code: CloseCode, reason: string): void {
    if (this.#ws === null) {
      this.#isOver = true;
      return;
    }
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    const ws = this.#ws;
    ws.close(code, Buffer.from(reason).subarray(0, 123));
    const { clock, limits } = this.#opened.context;
    const timer = clock.setTimer(limits.socketLingerMs, () => ws.terminate());
    ws.on('close', () => timer.cancel());
    if (ws.isPaused) ws.resume();
  }

  onRunnerGone(): void {
    // One under way notices by itself, and its caller is told with its answer.
    if (this.#current === null) this.close(closeCodes.appFailed, goneReason);
  }

  sendText(text: string): void {
    this.#ws?.send(text);
  }

  sendBinary(bytes: Buffer): boolean {
    const ws = this.#ws;
    if (ws === null || ws.readyState !== ws.OPEN) return true;
    this.#sendingBytes += bytes.length;
    this.#opened.events.onBytes(bytes.length, 'app');
    ws.send(bytes, { binary: true }, () => this.#onSent(bytes.length));
    this.#isFull ||= this.#sendingBytes > mostSendingBytes;
    return !this.#isFull;
  }

  #onSent(bytes: number): void {
    this.#sendingBytes -= bytes;
    if (!this.#isFull || this.#sendingBytes > mostSendingBytes / 4) return;
    this.#isFull = false;
    this.#current?.onDrain();
  }

  #onMessage(body: Buffer, isBinary: boolean): void {
    if (this.#ws!.readyState !== this.#ws!.OPEN) return;
    this.#opened.events.onBytes(body.length, 'caller');
    this.#waiting.push({ body, contentType: isBinary ? 'application/octet-stream' : 'application/json' });
    this.#waitingBytes += body.length;
    if (this.#current === null) this.#next();
    if (this.#waiting.length >= mostWaiting || this.#waitingBytes > mostWaitingBytes) this.#ws!.pause();
  }

  #next(): void {
    this.#idle?.cancel();
    const request = this.#waiting.shift();
    if (request === undefined) {
      this.#watchIdle();
      return;
    }
    this.#waitingBytes -= request.body.length;
    if (this.#ws!.isPaused && this.#waiting.length < mostWaiting && this.#waitingBytes <= mostWaitingBytes) {
      this.#ws!.resume();
    }
    this.#current = new HttpExchange(this.#opened, { ...request, headers: this.#headers }, this, (end) =>
      this.#onExchangeOver(end),
    );
  }

  #onExchangeOver({ outcome, isComplete }: ExchangeEnd): void {
    this.#current = null;
    if (outcome.kind !== 'done' || this.#outcome.kind === 'done') this.#outcome = outcome;
    if (this.#ws!.readyState !== this.#ws!.OPEN) {
      if (this.#ws!.readyState === this.#ws!.CLOSED) this.#end();
      return;
    }
    if (!isComplete || outcome.kind === 'connection-failed' || outcome.kind === 'terminate') {
      this.close(closeCodes.appFailed, goneReason);
      return;
    }
    this.#next();
  }

  #onClose(): void {
    this.#idle?.cancel();
    this.#waiting = [];
    if (this.#current === null) this.#end();
    else this.#current.abandon();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#opened.events.onRunnerFree(this.#outcome);
  }

  #watchIdle(): void {
    const { clock, limits } = this.#opened.context;
    const { socketIdleMs: idleMs } = limits;
    if (idleMs === null) return;
    this.#idle = clock.setTimer(idleMs, () =>
      this.close(closeCodes.normal, `No request for ${Math.round(idleMs / 1000)} s.`),
    );
  }
}
