/**
 * The gateway alone in a process: real admission, slots without a scheduler behind them, real proxying and access log.
 * Usage: node front.ts UPSTREAM_PORT; prints its port. A line on standard input is answered with resident bytes and the
 * microseconds of CPU used so far. With CA_FOLDER behind it the gateway stands behind the platform's own two ports, under
 * `/run`, and their numbers are printed: clear text first, TLS second.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../packages/protocol/src/index.ts';
import { createGateway } from '../../packages/server/src/gateway/create-gateway.ts';
import { createLogger } from '../../packages/server/src/observe/logger.ts';
import { createCertificateAuthority } from '../../packages/server/src/ports/certificate-authority.ts';
import { createPorts } from '../../packages/server/src/ports/create-ports.ts';

const upstreamPort = Number(process.argv[2]);
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
  targets: { find: (owner, name) => (owner === 'bench' && name === 'hello' ? target : null) },
  dispatcher: {
    acquire: async () => ({ runnerId: 'runner', host: '127.0.0.1', port: upstreamPort, release() {} }),
  },
  authenticator: { authenticate: async () => principal, authenticateOptional: async () => principal },
  clock: systemClock,
  log: createLogger(),
});
await gateway.start();

const hosts = { grpcHost: '', restHost: '', runHost: '', queueHost: '', wsHost: '', cdnHost: '', kvHost: '' };
const caFolder = process.argv[3];
if (caFolder === undefined) {
  const server = createServer((request, response) => {
    gateway.handle(request, response, {
      role: 'run',
      path: request.url!,
      origin: { mode: 'path', scheme: 'http', hosts },
    });
  });
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
} else {
  const { httpPort, tlsPort } = await startPorts(caFolder);
  process.stdout.write(`${httpPort}\n${tlsPort}\n`);
}
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${process.memoryUsage.rss()} ${user + system}\n`);
});

async function startPorts(folder: string): Promise<{ httpPort: number; tlsPort: number }> {
  const log = createLogger();
  const config = {
    ...{ host: '127.0.0.1', port: 0, httpPort: 0, domain: null, publicUrl: null, tlsCert: null, tlsKey: null },
    ...{ remoteProxy: false, upstreamProxy: null },
  };
  const ca = createCertificateAuthority({ folder, config, clock: systemClock, log });
  await ca.start();
  const ports = createPorts({
    ...{ config, ca, clock: systemClock, log, proxyToken: 'unused' },
    handlers: {
      request: (request, response, route) => gateway.handle(request, response, route),
      upgrade: (_request, socket) => void socket.destroy(),
    },
  });
  return ports.start();
}
