/**
 * What stands between callers and the app, in a process of its own: the gateway, or the least that Node can do (two sockets and
 * two pipes a connection), which is what its budget is measured against.
 *
 * Usage: node --expose-gc front.ts bare|gateway UPSTREAM_PORT; prints its port. Every line on standard input is answered, after
 * a collection, with bytes: resident, and of the heap with what hangs on it.
 */
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemClock } from '../../packages/protocol/src/index.ts';
import { createGateway } from '../../packages/server/src/gateway/create-gateway.ts';
import { createLogger } from '../../packages/server/src/observe/logger.ts';
import type { Role, Route } from '../../packages/server/src/ports/route.ts';
import { answerMemory } from './answer-memory.ts';

const [, , kind, upstream] = process.argv;
const upstreamPort = Number(upstream);
const server = kind === 'bare' ? createBareFront() : await createGatewayFront();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
answerMemory();

function createBareFront(): ReturnType<typeof createServer> {
  const options = { host: '127.0.0.1', port: upstreamPort, agent: false };
  const bare = createServer((request, response) => {
    const call = httpRequest({ ...options, method: 'POST', path: request.url! }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    call.on('error', () => response.destroy());
    request.pipe(call);
  });
  bare.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    const call = httpRequest({ ...options, headers: request.headers, path: request.url! });
    call.on('upgrade', (answer, connection) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      for (const [from, to] of [
        [socket, connection],
        [connection, socket],
      ] as const) {
        from.on('error', () => to.destroy());
        from.pipe(to);
      }
    });
    call.end();
  });
  return bare;
}

async function createGatewayFront(): Promise<ReturnType<typeof createServer>> {
  const principal = { accountId: 'acc', nickname: 'bench', keyId: 'key', permissions: new Set(['*']) };
  const target = {
    targetId: 'acc/hello',
    accountId: 'acc',
    ownerNickname: 'bench',
    name: 'hello',
    authMode: 'private' as const,
    requestTimeoutSeconds: 3600,
    requestStartTimeoutSeconds: null,
  };
  const gateway = createGateway({
    targets: { find: () => target },
    dispatcher: {
      acquire: async () => ({ runnerId: 'runner', host: '127.0.0.1', port: upstreamPort, release() {} }),
    },
    authenticator: { authenticate: async () => principal, authenticateOptional: async () => principal },
    clock: systemClock,
    log: createLogger(),
  });
  await gateway.start();
  const hosts = { grpcHost: '', restHost: '', runHost: '', queueHost: '', wsHost: '', cdnHost: '', kvHost: '' };
  const routeOf = (request: IncomingMessage): Route => {
    const [, role, path] = /^\/(run|ws)(\/.*)$/.exec(request.url!)!;
    return { role: role as Role, path: path!, origin: { mode: 'path', scheme: 'http', hosts } };
  };
  const front = createServer((request, response) => gateway.handle(request, response, routeOf(request)));
  front.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    gateway.handleUpgrade(request, socket, head, routeOf(request)),
  );
  return front;
}
