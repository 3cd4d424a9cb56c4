import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { createSocketFixture, socketUrl } from './testing/socket-fixture.ts';

/** What either side may do to a socket, at any moment. */
const deeds = {
  send: (socket: WebSocket) => socket.send('message'),
  sendMuch: (socket: WebSocket) => socket.send(Buffer.alloc(300_000)),
  sendTooMuch: (socket: WebSocket) => socket.send(Buffer.alloc(2_000_000)),
  ping: (socket: WebSocket) => socket.ping(),
  stopReading: (socket: WebSocket) => socket.pause(),
  close: (socket: WebSocket) => socket.close(4000),
  terminate: (socket: WebSocket) => socket.terminate(),
  garbage: (_: WebSocket, connection: Duplex) => connection.write(Buffer.from([0xff, 0xff, 0xff])),
  halfFrame: (_: WebSocket, connection: Duplex) => connection.write(Buffer.from([0x82, 0x7e, 0x01])),
  end: (_: WebSocket, connection: Duplex) => connection.end(),
  destroy: (_: WebSocket, connection: Duplex) => connection.destroy(),
} satisfies Record<string, (socket: WebSocket, connection: Duplex) => unknown>;

const names = Object.keys(deeds) as (keyof typeof deeds)[];
const step = fc.record({
  by: fc.constantFrom('caller', 'app'),
  deed: fc.constantFrom(...names),
  waits: fc.boolean(),
});

describe('whatever happens to a socket', () => {
  for (const role of ['run', 'ws'] as const) {
    it(`its slot comes back, once, and nothing stays behind (${role})`, async () => {
      const apps: { socket: WebSocket; connection: Duplex }[] = [];
      await using fixture = await createSocketFixture(
        (socket, _, connection) => {
          apps.push({ socket, connection });
          socket.on('message', (data) => socket.readyState === socket.OPEN && socket.send(data as Buffer));
        },
        {
          role,
          limits: { maxSocketMessageBytes: 1_000_000, cancelTimeoutMs: 50, socketLingerMs: 50 },
          app: (request, response) => request.resume().on('end', () => response.end('{}')),
        },
      );
      let count = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          const caller = new WebSocket(socketUrl(fixture));
          caller.on('error', () => {});
          const [response] = (await once(caller, 'upgrade')) as [{ socket: Duplex }];
          if (caller.readyState === caller.CONNECTING) await once(caller, 'open');
          const app = apps.at(-1);
          for (const { by, deed, waits } of steps) {
            const side = by === 'caller' ? { socket: caller, connection: response.socket } : app;
            if (side === undefined || side.connection.destroyed || side.socket.readyState !== WebSocket.OPEN) continue;
            deeds[deed](side.socket, side.connection);
            if (waits) await new Promise((resolve) => setImmediate(resolve));
          }
          // In the end the caller goes, if it has not: everything has to follow.
          caller.terminate();
          count += 1;
          await fixture.dispatcher.released(count);
        }),
        { numRuns: 150, seed: 1, timeout: 5000, endOnFailure: true },
      );
      await fixture.logged(count);
      assert.equal(fixture.dispatcher.held, 0);
      assert.equal(fixture.gateway.activeCalls, 0);
    });
  }
});
