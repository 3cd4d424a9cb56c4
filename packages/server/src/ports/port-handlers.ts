import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import { isLannerError, toLannerError, type Clock } from '@lanner/protocol';
import { writeRawResponse } from './raw-response.ts';
import { routeRequest, type AddressConfig } from './route-request.ts';
import type { AnyRequest, Route } from './route.ts';

export type AnyResponse = ServerResponse | Http2ServerResponse;

/** What the rest of the server does with sorted requests. A rejected promise is answered with 500 and logged. */
export interface PortHandlers {
  request(request: AnyRequest, response: AnyResponse, route: Route): void | Promise<void>;
  /** `socket` belongs to the handler from here on; `head` is what the client sent after its header. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, route: Route): void | Promise<void>;
}

export interface PortLog {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Node's server events of one port, led to the handlers. */
export interface PortListeners {
  onRequest(request: IncomingMessage | Http2ServerRequest, response: AnyResponse): void;
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Sorts what arrives on one port and calls the handlers; nothing a handler throws reaches Node. */
export function createPortListeners(options: {
  scheme: 'https' | 'http';
  addresses: AddressConfig;
  handlers: PortHandlers;
  clock: Clock;
  log: PortLog;
}): PortListeners {
  const { scheme, addresses, handlers, clock, log } = options;

  function route(request: AnyRequest): ReturnType<typeof routeRequest> {
    const { headers } = request;
    const authority = headers[':authority'] ?? headers.host;
    return routeRequest(
      {
        authority: typeof authority === 'string' ? authority : undefined,
        target: request.url ?? '/',
        contentType: headers['content-type'],
        scheme,
        localPort: request.socket.localPort ?? 0,
      },
      addresses,
    );
  }

  return {
    onRequest(request, response) {
      const routing = route(request);
      if ('refused' in routing) {
        answer(response, statusOf[routing.refused], routing.message);
        return;
      }
      run(
        () => handlers.request(request, response, routing),
        (error) => {
          const { entry, message } = toLannerError(error);
          if (!isLannerError(error)) log.error({ err: error, role: routing.role }, 'request handler failed');
          if (response.headersSent) response.destroy();
          else answer(response, entry.httpStatus, message);
        },
      );
    },
    onUpgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      const routing = route(request);
      if ('refused' in routing) {
        writeRawResponse(socket, { status: statusOf[routing.refused], detail: routing.message }, clock);
        return;
      }
      run(
        () => handlers.upgrade(request, socket, head, routing),
        (error) => {
          log.error({ err: error, role: routing.role }, 'upgrade handler failed');
          socket.destroy();
        },
      );
    },
  };
}

const statusOf = { not_found: 404, bad_request: 400 } as const;

function run(handler: () => void | Promise<void>, onError: (error: unknown) => void): void {
  try {
    Promise.resolve(handler()).catch(onError);
  } catch (error) {
    onError(error);
  }
}

function answer(response: AnyResponse, status: number, detail: string): void {
  const body = JSON.stringify({ detail });
  (response as ServerResponse).writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  (response as ServerResponse).end(body);
}
