import type { Socket } from 'node:net';
import type { Clock } from '@lanner/protocol';

/** The open connections of one port, whatever they have become since (HTTP, HTTP/2, WebSocket, tunnel). */
export interface ConnectionSet {
  add(socket: Socket): void;
  readonly size: number;
  /**
   * Resolves when no connection is left. Those still open after `graceMs` are destroyed; a further call can only shorten
   * that. `sweep` runs meanwhile.
   */
  drain(graceMs: number, clock: Clock, sweep: () => void): Promise<void>;
}

const sweepEveryMs = 50;

export function createConnectionSet(): ConnectionSet {
  const sockets = new Set<Socket>();
  const empty = Promise.withResolvers<void>();
  let isDraining = false;
  let endMs = Infinity;

  function settle(): void {
    if (isDraining && sockets.size === 0) empty.resolve();
  }

  async function run(clock: Clock, sweep: () => void): Promise<void> {
    for (;;) {
      settle();
      const leftMs = endMs - clock.monotonicMs();
      if (sockets.size === 0 || leftMs <= 0) break;
      sweep();
      const wake = new AbortController();
      await Promise.race([
        empty.promise,
        clock.sleep(Math.min(sweepEveryMs, leftMs), wake.signal).catch(() => undefined),
      ]);
      wake.abort();
    }
    for (const socket of sockets) socket.destroy();
  }

  return {
    add(socket) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        settle();
      });
    },
    get size() {
      return sockets.size;
    },
    drain(graceMs, clock, sweep) {
      endMs = Math.min(endMs, clock.monotonicMs() + graceMs);
      if (!isDraining) {
        isDraining = true;
        void run(clock, sweep);
      }
      return empty.promise;
    },
  };
}
