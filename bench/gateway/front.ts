/**
 * The gateway alone in a process: real admission, slots without a scheduler behind them, real proxying and access log.
 * Usage: node front.ts UPSTREAM_PORT; prints its port. A line on standard input is answered with resident bytes and the
 * microseconds of CPU used so far.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../packages/protocol/src/index.ts';
import { createGateway } from '../../packages/server/src/gateway/create-gateway.ts';
import { createLogger } from '../../packages/server/src/observe/logger.ts';

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
const server = createServer((request, response) => {
  gateway.handle(request, response, {
    role: 'run',
    path: request.url!,
    origin: { mode: 'path', scheme: 'http', hosts },
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${process.memoryUsage.rss()} ${user + system}\n`);
});
