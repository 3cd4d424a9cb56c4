import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '@lanner/protocol';

/** A server that closes after its answer without saying so has done it by then. */
const youngestMs = 2;
/** Less than any server keeps an idle connection open. */
const oldestMs = 250;
const maxIdlePerApp = 64;

interface Idle {
  socket: Socket;
  /** Whatever it says while it is idle is not the answer to anything. */
  drop: () => void;
  sinceMs: number;
  /** May be used again. */
  isRipe: boolean;
}

/**
 * Connections to apps that are used again. A connection that the app closes at the moment of its next use would leave open whether that
 * request was executed, so only those are taken whose app had the time to close them and no reason to do it yet; an app that closes one
 * all the same gets new ones from then on.
 */
export class AppConnections {
  readonly #clock: Clock;
  /** By app, those waiting longest first. */
  readonly #idle = new Map<string, Idle[]>();
  readonly #distrusted = new Set<string>();
  #timer: Timer | null = null;
  #ripening: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection to an app; one that was used before is connected already. Comes back by itself after a complete exchange. */
  take(host: string, port: number): Socket {
    const app = `${host}:${port}`;
    const nowMs = this.#clock.monotonicMs();
    const idle = this.#idle.get(app);
    while (idle?.[0]?.isRipe === true) {
      const { socket, drop, sinceMs } = idle.shift()!;
      socket.off('data', drop).off('end', drop);
      if (!socket.destroyed && !socket.readableEnded && nowMs - sinceMs <= oldestMs) return socket;
      socket.destroy();
    }
    const socket = connect({ host, port, noDelay: true });
    // While nobody uses it; its users have listeners of their own.
    socket.on('error', () => {});
    // What Node's HTTP client says when it has no more use for a connection that may be kept.
    socket.on('free', () => this.#keep(app, socket));
    return socket;
  }

  /** It closed a connection that was in use again. */
  distrust(host: string, port: number): void {
    if (this.#distrusted.size > 1000) this.#distrusted.clear();
    this.#distrusted.add(`${host}:${port}`);
  }

  /** Closes what is idle. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#ripening?.cancel();
    for (const idle of this.#idle.values()) for (const { socket } of idle) socket.destroy();
    this.#idle.clear();
  }

  #keep(app: string, socket: Socket): void {
    const idle = this.#idle.get(app) ?? [];
    if (this.#distrusted.has(app) || idle.length >= maxIdlePerApp || socket.destroyed) return void socket.destroy();
    const drop = (): void => void socket.destroy();
    socket.on('data', drop).on('end', drop);
    idle.push({ socket, drop, sinceMs: this.#clock.monotonicMs(), isRipe: false });
    this.#idle.set(app, idle);
    this.#waitForRipeness();
    this.#timer ??= this.#clock.setTimer(oldestMs, () => this.#closeOld());
  }

  /** An immediate runs after what the sockets had to say by the end of the timer was heard, however busy we are. */
  #waitForRipeness(): void {
    this.#ripening ??= this.#clock.setTimer(youngestMs, () => {
      const untilMs = this.#clock.monotonicMs() - youngestMs;
      setImmediate(() => {
        this.#ripening = null;
        let isWaiting = false;
        for (const each of [...this.#idle.values()].flat()) {
          each.isRipe ||= each.sinceMs <= untilMs;
          isWaiting ||= !each.isRipe;
        }
        if (isWaiting) this.#waitForRipeness();
      });
    });
  }

  #closeOld(): void {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    for (const [app, idle] of this.#idle) {
      while (idle.length > 0 && nowMs - idle[0]!.sinceMs >= oldestMs) idle.shift()!.socket.destroy();
      if (idle.length === 0) this.#idle.delete(app);
    }
    if (this.#idle.size > 0) this.#timer = this.#clock.setTimer(oldestMs, () => this.#closeOld());
  }
}
