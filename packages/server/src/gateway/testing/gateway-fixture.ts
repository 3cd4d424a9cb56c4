import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { LannerError, systemClock, type Clock } from '@lanner/protocol';
import type { Authenticator, PresentedCredential, Principal } from '../../auth/principal.ts';
import { createLogger } from '../../observe/logger.ts';
import type { AnyRequest, Role, Route } from '../../ports/route.ts';
import type { Dispatcher, Slot, SlotOutcome, SlotRequest, Target } from '../../scheduler/dispatcher.ts';
import type { AnyResponse } from '../caller.ts';
import { createGateway, type Gateway } from '../create-gateway.ts';
import type { GatewayLimits } from '../gateway-limits.ts';

export const ownerKey = 'Key owner:secret';
export const strangerKey = 'Key stranger:secret';
export const readOnlyKey = 'Key readonly:secret';

const principals: Record<string, Principal> = {
  owner: { accountId: 'acc_owner', nickname: 'alice', keyId: 'owner', permissions: new Set(['*']) },
  stranger: {
    accountId: 'acc_stranger',
    nickname: 'bob',
    keyId: 'stranger',
    permissions: new Set(['models:requests:submit']),
  },
  readonly: {
    accountId: 'acc_owner',
    nickname: 'alice',
    keyId: 'readonly',
    permissions: new Set(['account:settings:read']),
  },
  /** A short-lived token of the owner, for one path of one app. */
  token: {
    accountId: 'acc_owner',
    nickname: 'alice',
    keyId: 'owner',
    permissions: new Set(['serverless:apps:run']),
    allowedApps: ['alice/hello/realtime'],
  },
  /** A short-lived token of somebody else, for the app of that name. */
  strangertoken: {
    accountId: 'acc_stranger',
    nickname: 'bob',
    keyId: 'stranger',
    permissions: new Set(['serverless:apps:run', 'models:requests:submit']),
    allowedApps: ['hello'],
  },
};

const authenticator: Authenticator = {
  async authenticate(presented) {
    if (presented.kind === 'none') throw new LannerError('missing_credentials', 'No credentials were sent.');
    return identify(presented);
  },
  async authenticateOptional(presented) {
    return presented.kind === 'none' ? null : identify(presented);
  },
};

function identify(presented: PresentedCredential): Principal {
  if (presented.kind === 'malformed') throw new LannerError('malformed_credentials', presented.message);
  const name = presented.kind === 'key' ? presented.keyId : presented.kind === 'bearer' ? presented.token : '';
  const principal = principals[name];
  if (!principal) throw new LannerError('unknown_key', 'No user found for Key ID and Secret');
  return principal;
}

/** A dispatcher with one endless runner that writes down what is asked of it and given back. */
export interface RecordingDispatcher extends Dispatcher {
  requests: SlotRequest[];
  releases: SlotOutcome[];
  /** Slots given and not yet given back; a second release of one throws. */
  held: number;
  /** Replaces the answer to `acquire`. */
  onAcquire: ((request: SlotRequest) => Promise<Slot>) | null;
  /** Resolves when `count` slots were given back. */
  released(count: number): Promise<SlotOutcome[]>;
  slotAt(port: number): Slot;
}

export function createRecordingDispatcher(port: () => number): RecordingDispatcher {
  const waiters = new Set<() => void>();
  const dispatcher: RecordingDispatcher = {
    requests: [],
    releases: [],
    held: 0,
    onAcquire: null,
    slotAt(slotPort) {
      dispatcher.held += 1;
      let isReleased = false;
      return {
        runnerId: `runner-${slotPort}`,
        host: '127.0.0.1',
        port: slotPort,
        release(outcome) {
          if (isReleased) throw new Error('a slot was released twice');
          isReleased = true;
          dispatcher.held -= 1;
          dispatcher.releases.push(outcome);
          for (const wake of waiters) wake();
        },
      };
    },
    async acquire(request) {
      dispatcher.requests.push(request);
      return dispatcher.onAcquire ? dispatcher.onAcquire(request) : dispatcher.slotAt(port());
    },
    released(count) {
      return new Promise((resolve) => {
        const check = (): void => {
          if (dispatcher.releases.length < count) return;
          waiters.delete(check);
          resolve(dispatcher.releases);
        };
        waiters.add(check);
        check();
      });
    },
  };
  return dispatcher;
}

export interface FixtureOptions {
  /** The app behind the gateway; default answers 200 `ok`. */
  app?: RequestListener;
  /** A server in place of `app`, for what no HTTP library would send. */
  tcp?: (socket: Socket) => void;
  limits?: Partial<GatewayLimits>;
  clock?: Clock;
  target?: Partial<Target>;
  role?: Role;
}

/** One gateway with fronts for both versions of HTTP, and one app behind it. */
export interface Fixture extends AsyncDisposable {
  gateway: Gateway;
  dispatcher: RecordingDispatcher;
  /** `http://127.0.0.1:PORT`, HTTP/1.1. */
  url: string;
  port: number;
  /** The same gateway over HTTP/2 without TLS. */
  http2Url: string;
  appServer: Server;
  appPort: number;
  /** Records of the access log. */
  records: Record<string, unknown>[];
  /** Resolves when `count` calls were logged. */
  logged(count: number): Promise<Record<string, unknown>[]>;
}

export async function createFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const appServer = options.tcp
    ? (createTcpServer(options.tcp) as unknown as Server)
    : createServer(options.app ?? ((_, response) => response.end('ok')));
  const appSockets = trackSockets(appServer);
  const appPort = await listen(appServer);

  const records: Record<string, unknown>[] = [];
  const logWaiters = new Set<() => void>();
  const destination = new Writable({
    write(chunk: Buffer, _, done) {
      records.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      for (const wake of logWaiters) wake();
      done();
    },
  });
  const dispatcher = createRecordingDispatcher(() => appPort);
  const base: Target = {
    targetId: 'acc_owner/hello',
    accountId: 'acc_owner',
    ownerNickname: 'alice',
    name: 'hello',
    authMode: 'public',
    requestTimeoutSeconds: 3600,
    requestStartTimeoutSeconds: null,
    ...options.target,
  };
  const gateway = createGateway({
    targets: {
      find: (owner, name) =>
        (owner === base.ownerNickname && name === base.name) || (owner === '42' && name === 'legacy') ? base : null,
    },
    dispatcher,
    authenticator,
    clock: options.clock ?? systemClock,
    log: createLogger({ destination }),
    ...(options.limits ? { limits: options.limits } : {}),
  });
  await gateway.start();

  const routeOf = (request: { url?: string | undefined }, scheme: 'http' | 'https' = 'http'): Route => ({
    role: options.role ?? 'run',
    path: request.url!,
    origin: {
      mode: 'domain',
      scheme,
      hosts: { grpcHost: '', restHost: '', runHost: '', queueHost: '', wsHost: '', cdnHost: '', kvHost: '' },
    },
  });
  const onRequest = (request: AnyRequest, response: AnyResponse): void =>
    gateway.handle(request, response, routeOf(request));
  const front = createServer(onRequest);
  front.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    gateway.handleUpgrade(request, socket, head, routeOf(request));
  });
  const http2Front = createHttp2Server(onRequest);
  const frontSockets = trackSockets(front);
  const http2Sockets = trackSockets(http2Front);
  const port = await listen(front);
  const http2Port = await listen(http2Front);

  return {
    gateway,
    dispatcher,
    url: `http://127.0.0.1:${port}`,
    port,
    http2Url: `http://127.0.0.1:${http2Port}`,
    appServer,
    appPort,
    records,
    logged(count) {
      return new Promise((resolve) => {
        const check = (): void => {
          const calls = records.filter(
            (record) => record['requestId'] !== undefined && record['totalMs'] !== undefined,
          );
          if (calls.length < count) return;
          logWaiters.delete(check);
          resolve(calls);
        };
        logWaiters.add(check);
        check();
      });
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop({ graceMs: 0 });
      for (const sockets of [frontSockets, http2Sockets, appSockets]) for (const socket of sockets) socket.destroy();
      await Promise.all([close(front), close(http2Front), close(appServer)]);
      if (dispatcher.held !== 0) throw new Error(`${dispatcher.held} slots were never released`);
    },
  };
}

function trackSockets(server: Server | Http2Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function listen(server: Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function close(server: Server | Http2Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}

/** The whole body of a stream as text. */
export async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
