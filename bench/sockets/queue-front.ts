/**
 * The queue role alone in a process, with one request that waits for ever, for status streams; `bare`: an event stream straight
 * from Node. Used like front.ts; the port is followed by a blank and the id of the request.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../packages/protocol/src/index.ts';
import { createQueueHandler } from '../../packages/server/src/gateway/queue/queue-handler.ts';
import { RequestQueue } from '../../packages/server/src/gateway/queue/request-queue.ts';
import { defaultRetention } from '../../packages/server/src/gateway/queue/sweep-results.ts';
import { defaultGatewayLimits } from '../../packages/server/src/gateway/gateway-limits.ts';
import { createRunnerTransport } from '../../packages/server/src/gateway/upstream/runner-transport.ts';
import { createChangeFeed } from '../../packages/server/src/lib/change-feed.ts';
import { createLogger } from '../../packages/server/src/observe/logger.ts';
import { InMemoryDriver } from '../../packages/server/src/runners/testing/in-memory-driver.ts';
import { createStore } from '../../packages/server/src/store.ts';
import { answerMemory } from './answer-memory.ts';

const server = process.argv[2] === 'bare' ? createBareServer() : await createQueueServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const { port } = server.address() as AddressInfo;
  void submit(port).then((requestId) => process.stdout.write(`${port} ${requestId}\n`));
});
answerMemory();

async function submit(port: number): Promise<string> {
  if (process.argv[2] === 'bare') return 'none';
  const response = await fetch(`http://127.0.0.1:${port}/bench/hello`, { method: 'POST', body: '{}' });
  return ((await response.json()) as { request_id: string }).request_id;
}

function createBareServer(): ReturnType<typeof createServer> {
  return createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {}\n\n');
  });
}

async function createQueueServer(): Promise<ReturnType<typeof createServer>> {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const clock = systemClock;
  const log = createLogger();
  const store = await createStore({
    databasePath: join(folder, 'lanner.db'),
    secretsKeyPath: join(folder, 'secrets.key'),
    blobsDir: join(folder, 'blobs'),
    clock,
    changeFeed: createChangeFeed(() => {}),
    log,
  });
  const account = await store.accounts.create({ nickname: 'bench', fullName: '', isPersonal: true });
  const target = {
    targetId: `${account.accountId}/hello`,
    accountId: account.accountId,
    ownerNickname: 'bench',
    name: 'hello',
    authMode: 'public' as const,
    requestTimeoutSeconds: 3600,
    requestStartTimeoutSeconds: null,
  };
  const targets = { find: () => target };
  const driver = new InMemoryDriver(clock);
  await driver.start();
  const queue = new RequestQueue({
    store: store.requests,
    payloads: store.payloads,
    deliveries: store.deliveries,
    blobs: store.blobs,
    dispatcher: { acquire: () => new Promise(() => {}), reclaim: () => null },
    targets,
    driver,
    transport: createRunnerTransport({ clock, ...defaultGatewayLimits }),
    retryRules: () => ({ retryConfig: null, skipRetryConditions: [] }),
    clock,
    log,
    retention: defaultRetention,
  });
  await queue.start();
  const handle = createQueueHandler({
    queue,
    store: store.requests,
    blobs: store.blobs,
    targets,
    authenticator: store.authenticator,
    runnerLogs: { read: async () => [] },
    driver,
    clock,
    log,
  });
  const hosts = { grpcHost: '', restHost: '', runHost: '', queueHost: '', wsHost: '', cdnHost: '', kvHost: '' };
  return createServer((request, response) =>
    handle(request, response, { role: 'queue', path: request.url!, origin: { mode: 'path', scheme: 'http', hosts } }),
  );
}
