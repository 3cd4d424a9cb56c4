import { createReadStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  attemptChannel,
  errorCatalogue,
  LannerError,
  sessionProtocol,
  toLannerError,
  type BuildMessage,
  type Clock,
  type SupervisorErrorBody,
  type SupervisorStatus,
} from '@lanner/protocol';
import type { Attempts } from '../attempts/attempts.ts';
import { readOrder } from '../attempts/read-order.ts';
import type { Environments } from '../builds/environments.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ResultSpool } from '../events/result-spool.ts';
import type { Lease } from '../lease.ts';
import type { Log } from '../lib/log.ts';
import type { Runners } from '../runners/runners.ts';
import { serveSession } from '../sessions/serve-session.ts';
import { serveAttemptChannel } from './attempt-channel.ts';
import { openNdjson } from './ndjson.ts';
import { readBody } from './read-body.ts';
import { ackRequestSchema, buildRequestSchema, startRunnerRequestSchema, stopRequestSchema } from './schemas.ts';
import { streamEvents } from './stream-events.ts';

export interface SupervisorServerOptions {
  socketPath: string;
  bootId: string;
  events: EventLog;
  results: ResultSpool;
  runners: Runners;
  attempts: Attempts;
  /** Where large bodies of attempts wait. */
  inputFolder: string;
  environments: Environments;
  lease: Lease;
  clock: Clock;
  log: Log;
  status: () => Promise<SupervisorStatus>;
  /** `POST /v1/shutdown`: begin, and return at once. */
  onShutdown(graceMs: number): void;
}

export interface SupervisorServer {
  start(): Promise<void>;
  /** No new calls; open event streams are sent what is left and end. */
  stop(): Promise<void>;
}

type Handler = (call: { request: IncomingMessage; response: ServerResponse; id: string; url: URL }) => Promise<void>;

interface Route {
  method: string;
  pattern: RegExp;
  handle: Handler;
}

const idPattern = '([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})';

const sessionPattern = new RegExp(`^/v1/runners/${idPattern}/session$`);

/** The supervisor API (packages/protocol/src/supervisor-api.ts) on a Unix socket. */
export function createSupervisorServer(options: SupervisorServerOptions): SupervisorServer {
  const { events, runners, results, attempts, clock, log } = options;
  const stopping = new AbortController();

  const routes: Route[] = [
    route('GET', '/v1/status', async ({ response }) => sendJson(response, 200, await options.status())),
    route('GET', '/v1/events', async ({ response, url }) => {
      const after = Number(url.searchParams.get('after') ?? 0);
      if (!Number.isSafeInteger(after) || after < 0) {
        throw new LannerError('invalid_argument', 'Parameter after is not a sequence number.');
      }
      const release = options.lease.hold();
      try {
        await streamEvents(response, events, after, clock, stopping.signal);
      } finally {
        release();
      }
    }),
    route('POST', '/v1/events/ack', async ({ request, response }) => {
      const { bootId, seq } = await readBody(request, ackRequestSchema);
      if (bootId !== options.bootId) {
        throw new LannerError('conflict', 'The acknowledgement is for an earlier start of this supervisor.');
      }
      runners.forget(events.acknowledge(seq));
      sendNothing(response);
    }),
    route('POST', '/v1/builds', async ({ request, response }) => {
      const body = await readBody(request, buildRequestSchema);
      const stream = openNdjson(response);
      // Lines come faster than a slow caller reads them; builds are bounded, so they may queue in the response.
      const send = (message: BuildMessage): void => void stream.write([message]);
      try {
        const { tree, cached } = await options.environments.ensure(body, send);
        send({ type: 'done', environmentId: tree.environmentId, cached });
      } catch (error) {
        const failure = toLannerError(error);
        if (failure.code === 'internal_error') log.error({ error }, 'build failed unexpectedly');
        send({ type: 'failed', code: failure.code, message: failure.message });
      }
      stream.end();
    }),
    route('POST', '/v1/runners', async ({ request, response }) => {
      sendJson(response, 200, runners.start(await readBody(request, startRunnerRequestSchema)));
    }),
    route('POST', `/v1/runners/${idPattern}/stop`, async ({ request, response, id }) => {
      runners.stop(id, (await readBody(request, stopRequestSchema)).graceMs);
      sendNothing(response);
    }),
    route('POST', `/v1/runners/${idPattern}/kill`, async ({ response, id }) => {
      runners.kill(id);
      sendNothing(response);
    }),
    route('GET', `/v1/runners/${idPattern}/result`, async ({ response, id }) => {
      const { path, sizeBytes } = await results.find(id);
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': sizeBytes });
      await pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), response);
    }),
    route('DELETE', `/v1/runners/${idPattern}/result`, async ({ response, id }) => {
      await results.forget(id);
      sendNothing(response);
    }),
    route('POST', `/v1/runners/${idPattern}/attempts`, async ({ request, response, id }) => {
      const { order, body, discard } = await readOrder(request, options.inputFolder);
      try {
        if (!attempts.has(order.attemptId)) attempts.start(runners.reach(id), order, body);
        else discard();
      } catch (error) {
        discard();
        throw error;
      }
      sendNothing(response);
    }),
    route('GET', '/v1/attempts', async ({ response }) => sendJson(response, 200, attempts.list())),
    route('GET', `/v1/attempts/${idPattern}/result`, async ({ response, id }) => {
      const result = await attempts.readResult(id);
      const sizeBytes = 'bytes' in result ? result.bytes.length : result.sizeBytes;
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': sizeBytes });
      if ('bytes' in result) response.end(result.bytes);
      else await pipeline(createReadStream(result.path, { highWaterMark: 256 * 1024 }), response);
    }),
    route('DELETE', `/v1/attempts/${idPattern}`, async ({ response, id }) => {
      await attempts.forget(id);
      sendNothing(response);
    }),
    route('POST', '/v1/shutdown', async ({ request, response }) => {
      const { graceMs } = await readBody(request, stopRequestSchema);
      sendNothing(response);
      options.onShutdown(graceMs);
    }),
  ];

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://supervisor');
    let isKnownPath = false;
    for (const { method, pattern, handle } of routes) {
      const match = pattern.exec(url.pathname);
      if (match === null) continue;
      isKnownPath = true;
      if (method === request.method) return handle({ request, response, id: match[1] ?? '', url });
    }
    if (isKnownPath) throw new LannerError('method_not_allowed', `${request.method} is not possible here.`);
    throw new LannerError('not_found', 'The supervisor has no such path.');
  };

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 60_000 }, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (response.destroyed) return;
      const failure = toLannerError(error);
      if (failure.code === 'internal_error') log.error({ error, path: request.url }, 'call failed');
      if (response.headersSent) return void response.destroy();
      const body: SupervisorErrorBody = { code: failure.code, message: failure.message };
      // The rest of a body nobody reads must not be taken for the next call.
      if (!request.complete) response.setHeader('connection', 'close');
      sendJson(response, errorCatalogue[failure.code].httpStatus, body);
    });
  });

  const channels = new Set<Duplex>();
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    channels.add(socket);
    socket.on('close', () => channels.delete(socket));
    const runnerId = sessionPattern.exec(request.url ?? '')?.[1];
    if (runnerId !== undefined && request.headers.upgrade === sessionProtocol) {
      return serveSession(socket, head, { findPlace: () => runners.sessionPlace(runnerId), log });
    }
    if (request.url !== attemptChannel.path || request.headers.upgrade !== attemptChannel.protocol) {
      return void socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    }
    serveAttemptChannel(socket, head, options);
  });

  return {
    async start() {
      await rm(options.socketPath, { force: true }); // of a crashed one: the folder's lock is ours
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(options.socketPath, resolve);
      });
      await chmod(options.socketPath, 0o600);
    },
    async stop() {
      stopping.abort();
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      for (const socket of channels) socket.destroy();
      const timer = clock.setTimer(2000, () => server.closeAllConnections());
      await closed;
      timer.cancel();
    },
  };
}

function route(method: string, path: string, handle: Handler): Route {
  return { method, pattern: new RegExp(`^${path}$`), handle };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function sendNothing(response: ServerResponse): void {
  response.writeHead(204);
  response.end();
}
