import type { IncomingMessage } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lanner/protocol';
import type { TlsIdentities } from './certificate-authority.ts';
import { createConnectionSet } from './connection-set.ts';
import { createHttp2Sessions, http1Options, http2Options } from './http2-sessions.ts';
import type { PortListeners } from './port-handlers.ts';
import type { PortLimits } from './port-limits.ts';
import { answerClientError } from './raw-response.ts';

/** One listening port. */
export interface Port {
  /** Resolves with the real port. Rejects with Node's error (`EADDRINUSE`, `EACCES` …). */
  listen(host: string, port: number): Promise<number>;
  /** Accepts nothing new, lets what runs finish for `graceMs`, then closes what is left. A further call can only shorten the grace. */
  stop(graceMs: number): Promise<void>;
}

export interface TlsPort extends Port {
  /** Serves a connection that arrived otherwise: the inner end of an intercepted tunnel. */
  adopt(socket: Socket): void;
}

/**
 * The TLS port: HTTP/2 and HTTP/1.1 by ALPN, WebSocket upgrades, certificates by SNI.
 *
 * It must be the server that listens itself: Node starts its header timeouts on `listening` (style 4.2).
 */
export function createTlsPort(options: {
  identities: TlsIdentities;
  listeners: PortListeners;
  limits: PortLimits;
  clock: Clock;
  /**
   * All callers are on this machine. They are spoken to in TLS 1.2, because Python's sync WebSocket client (`websockets`, up to
   * Python 3.12 at least) reads and writes one connection from two threads without a lock: the session tickets that TLS 1.3 sends
   * behind the handshake are read just while the request is written, and one connection in a hundred was lost under load. Over a
   * network the tickets come a round trip later. Node cannot leave them out.
   */
  isLocal?: boolean;
}): TlsPort {
  const { identities, listeners, limits, clock, isLocal = false } = options;
  const connections = createConnectionSet();
  const sessions = createHttp2Sessions(clock, limits);
  const versions = isLocal ? { maxVersion: 'TLSv1.2' as const } : {};
  const server = createSecureServer({
    ...http2Options(limits),
    ...identities.defaultIdentity(),
    ...versions,
    allowHTTP1: true,
    handshakeTimeout: limits.tlsHandshakeTimeoutMs,
    SNICallback: (name, done) => done(null, identities.contextFor(name)),
    ...http1Options(limits),
  });
  server.maxConnections = limits.maxConnections;
  server.on('connection', connections.add);
  server.on('session', sessions.track);
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) =>
    listeners.onRequest(request, response),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    listeners.onUpgrade(request, socket, head),
  );
  server.on('clientError', (error, socket) => answerClientError(error, socket, clock));
  const stopListening = identities.onRenewed(() =>
    server.setSecureContext({ ...identities.defaultIdentity(), ...versions }),
  );
  let isStopping = false;

  return {
    listen: (host, port) => listen(server, host, port),
    adopt: (socket) => void server.emit('connection', socket),
    stop(graceMs) {
      if (!isStopping) {
        isStopping = true;
        stopListening();
        server.close();
        sessions.closeGracefully();
      }
      return connections.drain(graceMs, clock, () => closeIdle(server));
    },
  };
}

/** Listens and resolves with the real port. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
    server.listen({ host, port, backlog: 1024 });
  });
}

/** HTTP/1.1 connections between two requests; the types leave out that the TLS server has the method too. */
export function closeIdle(server: object): void {
  (server as { closeIdleConnections?: () => void }).closeIdleConnections?.();
}
