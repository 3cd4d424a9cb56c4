import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from '@connectrpc/connect-node';
import { pino } from 'pino';
import { systemClock } from '@lanner/protocol';
import { IsolateController } from '@lanner/protocol/controller';
import type { Account } from '../../auth/accounts.ts';
import type { KeyGrant } from '../../auth/keys.ts';
import { erasePayloads } from '../../gateway/queue/erase-payloads.ts';
import { createChangeFeed } from '../../lib/change-feed.ts';
import { createFiles } from '../../files/create-files.ts';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import { createClearPort } from '../../ports/clear-port.ts';
import { createPortListeners } from '../../ports/port-handlers.ts';
import { portLimits } from '../../ports/port-limits.ts';
import type { LogLine } from '../../scheduler/fleet.ts';
import { createStore, type Store } from '../../store.ts';
import { createRestHandler } from '../rest/create-rest-handler.ts';
import { createRpcHandler } from '../rpc/create-rpc-handler.ts';
import { createScriptedDriver, type ScriptedDriver } from './scripted-driver.ts';
import { createScriptedFleet, type ScriptedFleet } from './scripted-fleet.ts';

type Controller = Client<typeof IsolateController>;

/** Controller and REST on a real clear-text port, over a real store; the fleet and the builds are scripted. */
export interface ApiServer {
  /** `127.0.0.1:port`. */
  authority: string;
  store: Store;
  account: Account;
  /** Of the account: what its runners see as `/data`. */
  dataFolder: string;
  /** `id:secret` of a FULL key. */
  key: string;
  fleet: ScriptedFleet;
  driver: ScriptedDriver;
  runnerLogs: Pick<RunnerLogs, 'read'>;
  /** What `runnerLogs.read` finds, newest first. */
  logLines: LogLine[];
  /** URLs of webhooks that were said to be due. */
  dueWebhooks: string[];
  /** What was logged, with its constant message. */
  logged: { fields: object; message: string }[];
  setServing(isServing: boolean): void;
  newKey(grant: KeyGrant, account?: Account): Promise<string>;
  /** A client with a key (default: the FULL one), over gRPC unless said otherwise; `null` sends no credentials. */
  client(key?: string | null, protocol?: 'grpc' | 'grpc-web' | 'connect' | 'connect-http1'): Controller;
  fetch(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  stop(): Promise<void>;
}

export async function startApiServer(options: { port?: number } = {}): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-api-'));
  const logged: ApiServer['logged'] = [];
  const record = (fields: object, message: string): void => void logged.push({ fields, message });
  const log = { debug: () => undefined, info: record, warn: record, error: record };
  const changeFeed = createChangeFeed((error) => record({ err: error }, 'listener failed'));
  const store = await createStore({
    databasePath: join(folder, 'lanner.sqlite'),
    secretsKeyPath: join(folder, 'secrets.key'),
    blobsDir: join(folder, 'blobs'),
    clock: systemClock,
    changeFeed,
    log,
  });
  const account = await store.accounts.create({ nickname: 'alice', fullName: 'Alice', isPersonal: true });
  const newKey: ApiServer['newKey'] = async (grant, owner = account) => {
    const { keyId, keySecret } = await store.keys.create(owner.accountId, grant, 'test');
    return `${keyId}:${keySecret}`;
  };
  const key = await newKey({ preset: 'FULL' });
  const fleet = createScriptedFleet();
  const driver = createScriptedDriver();
  const logLines: LogLine[] = [];
  const runnerLogs: Pick<RunnerLogs, 'read'> = {
    read: async (_accountId, _runnerId, { sinceMs = 0, untilMs = Infinity, limit }) =>
      logLines.filter((line) => line.atMs >= sinceMs && line.atMs <= untilMs).slice(0, limit),
  };
  const dueWebhooks: string[] = [];
  let isServing = true;
  const files = await createFiles({
    ...store,
    folder: join(folder, 'objects'),
    dataFolder: join(folder, 'data'),
    ownerOf: async () => null,
    fetching: { allowPrivate: true, upstreamProxy: null, ownUrls: () => [], certificates: () => [] },
    secret: randomBytes(32),
    urls: { host: '127.0.0.1', domain: null, publicUrl: null },
    tlsPort: () => 8443,
    clock: systemClock,
    log: pino({ level: 'silent' }),
  });
  const deps = {
    ...store,
    files,
    fleet,
    driver,
    runnerLogs,
    queue: { count: () => ({ size: 0, byCaller: {} }), flush: async () => 0 },
    webhooks: { added: (url: string) => void dueWebhooks.push(url) },
    metrics: { render: async () => '# metrics\n' },
    erasePayloads: (accountId: string, requestId: string) =>
      erasePayloads({ ...store, removeOutputs: async () => [] }, accountId, requestId),
    operatorAccountId: account.accountId,
    clock: systemClock,
    log,
    isServing: () => isServing,
  };
  const rpc = createRpcHandler(deps);
  const rest = createRestHandler(deps);
  const port = createClearPort({
    listeners: createPortListeners({
      scheme: 'http',
      clock: systemClock,
      addresses: { domain: null, publicUrl: null },
      log,
      handlers: {
        request(request, response, route) {
          if (route.role === 'rpc') return rpc(request, response, route);
          if (route.role === 'cdn') return files.handleCdn(request, response, route);
          if (route.role === 'kv') return files.handleKeyValues(request, response, route);
          return rest(request, response, route);
        },
        upgrade: (_request, socket) => void socket.destroy(),
      },
    }),
    onConnect: (_request, socket) => void socket.destroy(),
    limits: portLimits,
    clock: systemClock,
  });
  const authority = `127.0.0.1:${await port.listen('127.0.0.1', options.port ?? 0)}`;
  const baseUrl = `http://${authority}`;
  const sessions = new Http2SessionManager(baseUrl);

  return {
    authority,
    store,
    account,
    dataFolder: join(folder, 'data', account.accountId),
    key,
    fleet,
    driver,
    runnerLogs,
    logLines,
    dueWebhooks,
    logged,
    setServing: (value) => void (isServing = value),
    newKey,
    client(clientKey = key, protocol = 'grpc') {
      const [keyId, keySecret] = clientKey?.split(':') ?? [];
      const common = {
        baseUrl,
        interceptors: [
          (next: Parameters<import('@connectrpc/connect').Interceptor>[0]) => (request: Parameters<typeof next>[0]) => {
            if (keyId !== undefined) request.header.set('auth-key-id', keyId);
            if (keySecret !== undefined) request.header.set('auth-key', keySecret);
            return next(request);
          },
        ],
      };
      const http2 = { ...common, httpVersion: '2' as const, sessionManager: sessions };
      switch (protocol) {
        case 'grpc':
          return createClient(IsolateController, createGrpcTransport(http2));
        case 'grpc-web':
          return createClient(IsolateController, createGrpcWebTransport(http2));
        case 'connect':
          return createClient(IsolateController, createConnectTransport(http2));
        case 'connect-http1':
          return createClient(IsolateController, createConnectTransport({ ...common, httpVersion: '1.1' }));
      }
    },
    fetch(path, { key: fetchKey = key, headers, ...init } = {}) {
      const credentials: Record<string, string> = fetchKey === null ? {} : { authorization: `Key ${fetchKey}` };
      return fetch(`${baseUrl}${path}`, {
        ...init,
        headers: { ...credentials, ...(headers as Record<string, string>) },
      });
    },
    async stop() {
      sessions.abort();
      await port.stop(0);
      await files.stop();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
