import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LannerError, type Clock } from '@lanner/protocol';
import type { Authenticator } from '../auth/principal.ts';
import { createAccessLog, type AccessRecord } from '../observe/access-log.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import type { Dispatcher, Targets } from '../scheduler/dispatcher.ts';
import { discardBody, isHttp2Response, type AnyResponse } from './caller.ts';
import { isPreflight, toPreflightHeaders } from './cors.ts';
import type { GatewayContext } from './gateway-context.ts';
import { defaultGatewayLimits, type GatewayLimits } from './gateway-limits.ts';
import { createLiveCalls } from './live-calls.ts';
import { writeRawError } from './raw-answer.ts';
import { sendError } from './send-error.ts';
import { createHttpSocketServer } from './sockets/http-socket.ts';
import { serveRunSocket } from './sockets/run-socket.ts';
import { SocketCall } from './sockets/socket-call.ts';
import { SyncCall } from './sync-call.ts';
import { createRunnerTransport } from './upstream/runner-transport.ts';
import type { UpstreamTransport } from './upstream/upstream-transport.ts';
import { createYoungCollector } from './young-collector.ts';

export interface GatewayOptions {
  targets: Targets;
  dispatcher: Dispatcher;
  authenticator: Authenticator;
  clock: Clock;
  log: Logger;
  /** What is left out has its default. */
  limits?: Partial<GatewayLimits>;
  /** Told of every call that is over. */
  onCall?: (record: AccessRecord) => void;
  /** Default: the platform's own HTTP/1.1 client. */
  transport?: UpstreamTransport;
}

/** Where callers' requests enter. */
export interface Gateway {
  /** Takes one request of a data-plane role. `route.path` is without the role's prefix. Never throws. */
  handle(request: AnyRequest, response: AnyResponse, route: Route): void;
  /** Takes one HTTP/1.1 upgrade. Never throws; the socket is the gateway's from here on. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, route: Route): void;
  /** A runner ended: its idle connections are closed. */
  forgetRunner(runnerId: string): void;
  /** Calls that are not over. */
  readonly activeCalls: number;
  start(): Promise<void>;
  /** Refuses new calls, waits up to `graceMs` for those under way, then ends them. A further call can only shorten that. */
  stop(options: { graceMs: number }): Promise<void>;
}

/** The data plane: authenticates, takes a slot, and passes the call to the runner. */
export function createGateway(options: GatewayOptions): Gateway {
  const { clock } = options;
  const limits = { ...defaultGatewayLimits, ...options.limits };
  const log = options.log.child({ component: 'gateway' });
  const calls = createLiveCalls(clock);
  const transport = options.transport ?? createRunnerTransport({ clock, ...limits });
  const context: GatewayContext = {
    targets: options.targets,
    dispatcher: options.dispatcher,
    authenticator: options.authenticator,
    clock,
    log,
    writeAccessLog: createAccessLog(log, options.onCall),
    limits,
    transport,
    calls,
    onStreamed: createYoungCollector(),
  };
  let isStopping = false;
  let stopped: Promise<void> | null = null;

  const whyRefused = (route: Route): LannerError | null => {
    if (isStopping) return new LannerError('shutting_down', 'The server is stopping. Try again in a moment.');
    if (route.role !== 'run' && route.role !== 'ws') {
      return new LannerError(
        'unimplemented',
        `The ${route.role} role is not served yet. Call the app through the run role.`,
      );
    }
    return null;
  };
  const serveHttpSocket = createHttpSocketServer(limits.maxSocketMessageBytes);

  return {
    handle(request, response, route) {
      const requestId = randomUUID();
      if (isPreflight(request)) {
        const headers = { ...toPreflightHeaders(request), 'x-fal-request-id': requestId };
        if (isHttp2Response(response)) response.writeHead(204, headers);
        else response.writeHead(204, headers);
        response.end();
        return;
      }
      const refusal = whyRefused(route) ?? (route.role === 'ws' ? wantsSocket() : null);
      if (refusal !== null) {
        sendError(response, refusal, requestId);
        discardBody(request, response, limits.discardBytes);
        return;
      }
      const call = new SyncCall(context, request, response, route, requestId);
      calls.add(call);
      void call.start();
    },

    handleUpgrade(request, socket, head, route) {
      const requestId = randomUUID();
      const refusal = whyRefused(route);
      if (refusal !== null) {
        socket.on('error', () => {});
        writeRawError(socket, refusal, requestId);
        return;
      }
      const call = new SocketCall(context, request, socket, route, requestId);
      calls.add(call);
      void call.start(head, route.role === 'ws' ? serveHttpSocket : serveRunSocket);
    },

    forgetRunner(runnerId) {
      transport.forget(runnerId);
      calls.onRunnerGone(runnerId);
    },

    get activeCalls() {
      return calls.size;
    },

    async start() {},

    stop({ graceMs }) {
      isStopping = true;
      const drained = calls.drain(graceMs);
      stopped ??= drained.then(() => transport.close());
      return stopped;
    },
  };
}

function wantsSocket(): LannerError {
  return new LannerError('bad_request', 'This address speaks WebSocket only. For plain HTTP, call the run role.');
}
