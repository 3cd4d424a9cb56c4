import type { Socket } from 'node:net';
import type { Clock } from '@lanner/protocol';

/** The open connections of one port, whatever they have become since (HTTP, HTTP/2, WebSocket, tunnel). */
export interface ConnectionSet {
  add(socket: Socket): void;
  readonly size: number;
  /** Resolves when no connection is left. Those still open after `graceMs` are destroyed. `sweep` runs meanwhile. */
  drain(graceMs: number, clock: Clock, sweep: () => void): Promise<void>;
}

const sweepEveryMs = 50;

export function createConnectionSet(): ConnectionSet {
  const sockets = new Set<Socket>();
  let onEmpty: (() => void) | null = null;
  return {
    add(socket) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        if (sockets.size === 0) onEmpty?.();
      });
    },
    get size() {
      return sockets.size;
    },
    async drain(graceMs, clock, sweep) {
      const endMs = clock.monotonicMs() + graceMs;
      const empty = new Promise<void>((resolve) => {
        onEmpty = resolve;
        if (sockets.size === 0) resolve();
      });
      while (sockets.size > 0) {
        const leftMs = endMs - clock.monotonicMs();
        if (leftMs <= 0) break;
        sweep();
        const wake = new AbortController();
        await Promise.race([empty, clock.sleep(Math.min(sweepEveryMs, leftMs), wake.signal).catch(() => undefined)]);
        wake.abort();
      }
      for (const socket of sockets) socket.destroy();
      await empty;
    },
  };
}
