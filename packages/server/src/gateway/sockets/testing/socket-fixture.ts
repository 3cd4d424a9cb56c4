import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { createFixture, type Fixture, type FixtureOptions } from '../../testing/gateway-fixture.ts';

/** A fixture whose app speaks WebSocket; `onSocket` is the app. */
export async function createSocketFixture(
  onSocket: (socket: WebSocket, request: IncomingMessage, connection: Duplex) => void,
  options: FixtureOptions = {},
): Promise<Fixture> {
  const fixture = await createFixture({
    app: (_, response) => response.writeHead(404).end('{"detail":"Not Found"}'),
    ...options,
  });
  const server = new WebSocketServer({ noServer: true });
  fixture.appServer.on('upgrade', (request, connection, head) => {
    server.handleUpgrade(request, connection, head, (socket) => {
      socket.on('error', () => {});
      onSocket(socket, request, connection);
    });
  });
  return fixture;
}

export const socketUrl = (fixture: Fixture, path = '/alice/hello/realtime'): string =>
  `ws://127.0.0.1:${fixture.port}${path}`;
