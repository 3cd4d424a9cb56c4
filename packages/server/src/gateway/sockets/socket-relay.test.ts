import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { createVirtualClock } from '../../lib/virtual-clock.ts';
import { createFixture } from '../testing/gateway-fixture.ts';
import { createSocketFixture, socketUrl } from './testing/socket-fixture.ts';

const closeOf = async (socket: WebSocket): Promise<{ code: number; reason: string }> => {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: String(reason) };
};
const open = async (url: string, options: object = {}): Promise<WebSocket> => {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
};

describe('a WebSocket that ends', () => {
  it('with the code of the caller reaches the app, and gives the slot back', async () => {
    const closed = Promise.withResolvers<unknown[]>();
    await using fixture = await createSocketFixture((socket) =>
      socket.on('close', (code, reason) => closed.resolve([code, String(reason)])),
    );
    const socket = await open(socketUrl(fixture));
    socket.close(4005, 'seen enough');
    assert.deepEqual(await closed.promise, [4005, 'seen enough']);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('because the app crashed is closed with 1011, and the runner is suspect', async () => {
    await using fixture = await createSocketFixture((socket) => socket.on('message', () => socket.terminate()));
    const socket = await open(socketUrl(fixture));
    socket.send('crash');
    const { code, reason } = await closeOf(socket);
    assert.equal(code, 1011);
    assert.match(reason, /runner ended the connection/);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'connection-failed' }]);
  });

  it('because the app crashed in the middle of a frame is cut off: nothing may be put into a frame', async () => {
    await using fixture = await createSocketFixture((_, __, connection) => {
      connection.write(Buffer.from([0x82, 126, 1, 0, 1, 2, 3]), () => connection.destroy());
    });
    const socket = await open(socketUrl(fixture));
    assert.equal((await closeOf(socket)).code, 1006);
    await fixture.dispatcher.released(1);
  });

  it('half: an app may go on after the caller has said its last', async () => {
    await using fixture = await createFixture();
    fixture.appServer.on('upgrade', (_, connection: Duplex) => {
      connection.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      connection.resume();
      connection.on('end', () => connection.end(Buffer.from([0x81, 2, 0x6f, 0x6b, 0x88, 2, 3, 232])));
    });
    const caller = await shakeHands(fixture.port);
    caller.end();
    assert.deepEqual(await readAll(caller), Buffer.from([0x81, 2, 0x6f, 0x6b, 0x88, 2, 3, 232]));
    await fixture.dispatcher.released(1);
  });

  it('with a message too large gets 1009 on both sides', async () => {
    for (const side of ['caller', 'app'] as const) {
      const appClosed = Promise.withResolvers<number>();
      await using fixture = await createSocketFixture(
        (socket) => {
          socket.on('close', (code) => appClosed.resolve(code));
          socket.on('message', () => socket.send(Buffer.alloc(2_000)));
        },
        { limits: { maxSocketMessageBytes: 1_000 } },
      );
      const socket = await open(socketUrl(fixture));
      socket.send(side === 'caller' ? Buffer.alloc(1_001) : 'please');
      assert.equal((await closeOf(socket)).code, 1009, side);
      assert.equal(await appClosed.promise, 1009, side);
      assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
    }
  });

  it('with bytes that are no frame gets 1002', async () => {
    await using fixture = await createSocketFixture(() => {});
    const caller = await shakeHands(fixture.port);
    caller.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    const received = await readAll(caller);
    assert.equal(received.readUInt16BE(2), 1002);
    caller.destroy();
    await fixture.dispatcher.released(1);
  });

  it('after silence is closed with 1000; messages either way put it off, pings do not', async () => {
    const clock = createVirtualClock();
    const apps: WebSocket[] = [];
    await using fixture = await createSocketFixture(
      (socket) => {
        apps.push(socket);
        socket.on('message', (data) => socket.send(data as Buffer));
      },
      { clock, limits: { socketIdleMs: 60_000 } },
    );
    const socket = await open(socketUrl(fixture));
    await clock.advance(50_000);
    socket.send('one');
    await once(socket, 'message');
    await clock.advance(50_000);
    assert.equal(socket.readyState, socket.OPEN);
    apps[0]!.ping();
    await once(socket, 'ping');
    socket.ping();
    await once(socket, 'pong');
    const closed = closeOf(socket);
    await clock.advance(10_000);
    const { code, reason } = await closed;
    assert.equal(code, 1000);
    assert.equal(reason, 'No message for 60 s.');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('at request_timeout is closed with 3008 on both sides', async () => {
    const clock = createVirtualClock();
    const appClosed = Promise.withResolvers<number>();
    await using fixture = await createSocketFixture((socket) => socket.on('close', (code) => appClosed.resolve(code)), {
      clock,
      target: { requestTimeoutSeconds: 60 },
    });
    const socket = await open(socketUrl(fixture));
    const closed = closeOf(socket);
    await clock.advance(60_000);
    assert.equal((await closed).code, 3008);
    assert.equal(await appClosed.promise, 3008);
  });

  it('at a shutdown may finish within the grace, and is closed with 1001 after it', async () => {
    await using fixture = await createSocketFixture((socket) =>
      socket.on('message', (data) => socket.send(data as Buffer)),
    );
    const quick = await open(socketUrl(fixture));
    const stubborn = await open(socketUrl(fixture));
    const stopped = fixture.gateway.stop({ graceMs: 1_000 });
    quick.send('last words');
    assert.equal(String(((await once(quick, 'message')) as [Buffer])[0]), 'last words');
    quick.close();
    const { code, reason } = await closeOf(stubborn);
    assert.equal(code, 1001);
    assert.equal(reason, 'The server is stopping.');
    await stopped;
    assert.equal(fixture.gateway.activeCalls, 0);
  });
});

describe('back-pressure of a WebSocket', () => {
  const piece = Buffer.alloc(64 * 1024, 7);
  const pieces = 1_000;

  it('holds the app up while the caller does not read', async () => {
    let sent = 0;
    await using fixture = await createSocketFixture((socket) => {
      const send = (): void => {
        if (sent === pieces) return;
        sent += 1;
        socket.send(piece, send);
      };
      send();
    });
    const socket = await open(socketUrl(fixture));
    socket.pause();
    const stalledAt = await settled(() => sent);
    assert.ok(stalledAt < pieces / 2, `${stalledAt} pieces were taken although nobody read`);
    let received = 0;
    socket.on('message', () => (received += 1));
    socket.resume();
    await new Promise<void>((resolve) =>
      socket.on('message', () => {
        if (received === pieces) resolve();
      }),
    );
    socket.close();
    await fixture.dispatcher.released(1);
  });

  it('holds the caller up while the app does not read', async () => {
    const apps: WebSocket[] = [];
    let received = 0;
    const complete = Promise.withResolvers<void>();
    await using fixture = await createSocketFixture((socket) => {
      apps.push(socket);
      socket.pause();
      socket.on('message', () => {
        received += 1;
        if (received === pieces) complete.resolve();
      });
    });
    const socket = await open(socketUrl(fixture));
    let sent = 0;
    const send = (): void => {
      if (sent === pieces) return;
      sent += 1;
      socket.send(piece, send);
    };
    send();
    const stalledAt = await settled(() => sent);
    assert.ok(stalledAt < pieces / 2, `${stalledAt} pieces were taken although nobody read`);
    apps[0]!.resume();
    await complete.promise;
    socket.close();
    await fixture.dispatcher.released(1);
  });
});

/** Resolves with the value once it has not changed for a while. */
async function settled(read: () => number): Promise<number> {
  for (;;) {
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (before > 0 && read() === before) return before;
  }
}

/** A handshake by hand, for what no library would send. Resolves behind its answer. */
async function shakeHands(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write(
    'GET /alice/hello/realtime HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  let seen = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    seen = Buffer.concat([seen, chunk]);
    const end = seen.indexOf('\r\n\r\n');
    if (end === -1) continue;
    socket.pause();
    if (end + 4 < seen.length) socket.unshift(seen.subarray(end + 4));
    return socket;
  }
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
