import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '@lanner/protocol';
import { closeCodes, closeFrame, type CloseCode } from './frames.ts';
import { FrameScanner, type FrameViolation } from './frame-scanner.ts';

/** A caller that has said its last may listen for so many times `lingerMs`. */
const halfOpenFactor = 6;

export interface RelayOptions {
  caller: Duplex;
  app: Duplex;
  clock: Clock;
  maxMessageBytes: number;
  /** Without a message either way for this long, the connection is closed; null: never. Pings are no messages. */
  idleMs: number | null;
  /** How long either side may take to close once the other has, or has been told to. */
  lingerMs: number;
  /** Told of every chunk that passes. */
  onChunk: (bytes: number, from: 'caller' | 'app') => void;
  /** Called once, when the app's side is gone. `isAppLost`: it went without having been asked to, and without a close frame. */
  onAppGone: (isAppLost: boolean) => void;
}

/**
 * Joins the two connections of a WebSocket: bytes pass both ways untouched, as fast as the slower side takes them, and so do
 * close frames and half-closes. It adds one thing only: a close frame of its own where a side would otherwise be cut off, put
 * between two frames.
 */
export class SocketRelay {
  readonly #options: RelayOptions;
  readonly #fromCaller: FrameScanner;
  readonly #fromApp: FrameScanner;
  #isClosing = false;
  #isAppGone = false;
  #linger: Timer | null = null;
  #idle: Timer | null = null;
  #messageAtMs: number;

  /** @param heads what each side sent right behind its part of the handshake. */
  constructor(options: RelayOptions, heads: { fromCaller: Buffer; fromApp: Buffer }) {
    const { caller, app, clock, idleMs } = options;
    this.#options = options;
    this.#fromCaller = new FrameScanner(options.maxMessageBytes);
    this.#fromApp = new FrameScanner(options.maxMessageBytes);
    this.#messageAtMs = clock.monotonicMs();
    if (idleMs !== null) this.#watchIdle(idleMs);

    app.on('error', () => {});
    if (heads.fromApp.length > 0) this.#pass(heads.fromApp, 'app');
    if (heads.fromCaller.length > 0) this.#pass(heads.fromCaller, 'caller');
    app.on('data', (chunk: Buffer) => this.#pass(chunk, 'app'));
    caller.on('data', (chunk: Buffer) => this.#pass(chunk, 'caller'));
    app.on('drain', () => caller.resume());
    caller.on('drain', () => app.resume());
    caller.on('end', () => this.#onCallerEnded());
    app.on('end', () => this.#onAppEnded());
    app.on('close', () => this.#onAppClosed());
    caller.on('close', () => this.#onCallerClosed());
  }

  /** Tells both sides with a close frame, and ends each connection with its answer, or soon without. Idempotent. */
  close(code: CloseCode, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#idle?.cancel();
    const { caller, app } = this.#options;
    this.#sayGoodbye(caller, this.#fromApp, this.#fromCaller, closeFrame(code, reason, false));
    this.#sayGoodbye(app, this.#fromCaller, this.#fromApp, closeFrame(code, reason, true));
    // What still comes is dropped; the answer to our close frame is in it.
    caller.resume();
    app.resume();
    this.#startLinger();
  }

  /** `towards`: what was passed to `side` so far; `from`: what came from it. */
  #sayGoodbye(side: Duplex, towards: FrameScanner, from: FrameScanner, frame: Buffer): void {
    const canSpeak = towards.isBetweenFrames && !towards.hasClosed && side.writable;
    if (canSpeak) side.write(frame);
    // Some clients take an end without their answer to the close frame for a broken connection.
    if (!canSpeak || from.hasClosed) side.end();
  }

  #pass(chunk: Buffer, from: 'caller' | 'app'): void {
    const { caller, app, clock, onChunk } = this.#options;
    onChunk(chunk.length, from);
    const scanner = from === 'caller' ? this.#fromCaller : this.#fromApp;
    const [source, target] = from === 'caller' ? [caller, app] : [app, caller];
    const violation = scanner.push(chunk);
    if (this.#isClosing) {
      if (violation !== null || scanner.hasClosed) source.end();
      return;
    }
    if (violation !== null) {
      if (scanner.boundaryAt > 0) target.write(chunk.subarray(0, scanner.boundaryAt));
      this.#onViolation(violation, from);
      return;
    }
    if (scanner.hasData) this.#messageAtMs = clock.monotonicMs();
    if (target.writable && !target.write(chunk)) source.pause();
  }

  #onViolation(violation: FrameViolation, from: 'caller' | 'app'): void {
    const who = from === 'caller' ? 'the caller' : 'the app';
    if (violation === 'too-big') {
      this.close(closeCodes.tooBig, `A message of ${who} is larger than ${this.#options.maxMessageBytes} bytes.`);
    } else {
      this.close(closeCodes.protocolError, `What ${who} sent is no WebSocket frame.`);
    }
  }

  #onAppEnded(): void {
    if (!this.#isClosing && !this.#fromApp.hasClosed && this.#fromApp.isBetweenFrames) {
      const { caller } = this.#options;
      caller.write(
        this.#fromCaller.hasClosed
          ? closeFrame(closeCodes.normal, '', false)
          : closeFrame(closeCodes.appFailed, 'The runner ended the connection without closing it.', false),
      );
    }
    this.#options.caller.end();
    this.#startLinger();
  }

  #onAppClosed(): void {
    if (this.#isAppGone) return;
    this.#isAppGone = true;
    this.#idle?.cancel();
    const { caller, app, onAppGone } = this.#options;
    const isAppLost = !this.#isClosing && !caller.destroyed && !this.#fromApp.hasClosed && !this.#fromCaller.hasClosed;
    // A reset comes without an end.
    if (!app.readableEnded) this.#onAppEnded();
    onAppGone(isAppLost && !caller.readableEnded);
    if (caller.destroyed) this.#linger?.cancel();
  }

  #onCallerClosed(): void {
    this.#idle?.cancel();
    if (this.#isAppGone) {
      this.#linger?.cancel();
      return;
    }
    // The app reads to the end what the caller still said, and may then not dawdle.
    this.#options.app.end();
    this.#options.app.resume();
    this.#startLinger();
  }

  /** Half-closed, or gone: which of the two shows only when something is written to it. */
  #onCallerEnded(): void {
    const { app, lingerMs } = this.#options;
    app.end();
    this.#startLinger(lingerMs * halfOpenFactor);
  }

  #startLinger(delayMs: number = this.#options.lingerMs): void {
    const { caller, app, clock } = this.#options;
    this.#linger?.cancel();
    this.#linger = clock.setTimer(delayMs, () => {
      caller.destroy();
      app.destroy();
    });
  }

  #watchIdle(idleMs: number): void {
    const { clock } = this.#options;
    const leftMs = this.#messageAtMs + idleMs - clock.monotonicMs();
    if (leftMs <= 0) {
      this.close(closeCodes.normal, `No message for ${Math.round(idleMs / 1000)} s.`);
      return;
    }
    this.#idle = clock.setTimer(leftMs, () => this.#watchIdle(idleMs));
  }
}
