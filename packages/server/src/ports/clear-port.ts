import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lanner/protocol';
import { createConnectionSet } from './connection-set.ts';
import { createHttp2Sessions, http1Options, http2Options } from './http2-sessions.ts';
import type { PortListeners } from './port-handlers.ts';
import type { PortLimits } from './port-limits.ts';
import { answerClientError } from './raw-response.ts';
import { closeIdle, listen, type Port } from './tls-port.ts';

/** Some clients (Java's, `curl --http2`) offer it with every first request, and are as glad of an answer in HTTP/1.1 (RFC 9110 7.8). */
function offersHttp2(request: IncomingMessage): boolean {
  return request.headers.upgrade?.trim().toLowerCase() === 'h2c';
}

/**
 * The clear-text port: HTTP/1.1, HTTP/2 with prior knowledge, WebSocket upgrades and CONNECT.
 *
 * Node's HTTP/2 server does not speak HTTP/1.1 without TLS, so the first bytes decide. The HTTP/1.1 server is the one that
 * listens and its own connection listeners get all other sockets: a bare TCP server in front would switch off its header
 * timeouts (style 4.2).
 */
export function createClearPort(options: {
  listeners: PortListeners;
  onConnect: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  limits: PortLimits;
  clock: Clock;
}): Port {
  const { listeners, limits, clock } = options;
  const connections = createConnectionSet();
  const sessions = createHttp2Sessions(clock, limits);
  const http1 = createServer({ ...http1Options(limits), shouldUpgradeCallback: (request) => !offersHttp2(request) });
  const http2 = createHttp2Server(http2Options(limits));
  http1.maxConnections = limits.maxConnections;

  const http1Listeners = http1.listeners('connection');
  http1.removeAllListeners('connection');
  http1.on('connection', (socket: Socket) => {
    connections.add(socket);
    sniff(socket, limits.firstByteTimeoutMs, clock, (protocol) => {
      if (protocol === 'h2') http2.emit('connection', socket);
      else for (const listener of http1Listeners) Reflect.apply(listener, http1, [socket]);
    });
  });
  http2.on('session', sessions.track);
  http1.on('request', listeners.onRequest);
  http2.on('request', listeners.onRequest);
  http1.on('upgrade', (request, socket: Duplex, head) => listeners.onUpgrade(request, socket, head));
  http1.on('connect', (request, socket, head) => options.onConnect(request, socket as Socket, head));
  http1.on('clientError', (error, socket) => answerClientError(error, socket, clock));
  let isStopping = false;

  return {
    listen: (host, port) => listen(http1, host, port),
    stop(graceMs) {
      if (!isStopping) {
        isStopping = true;
        http1.close();
        sessions.closeGracefully();
      }
      return connections.drain(graceMs, clock, () => closeIdle(http1));
    },
  };
}

const http2Preface = Buffer.from('PRI * HTTP/2.0');

/** What the first bytes of a connection mean; null while they could still be either. */
export function decideProtocol(firstBytes: Uint8Array): 'h1' | 'h2' | null {
  const length = Math.min(firstBytes.length, http2Preface.length);
  if (Buffer.compare(firstBytes.subarray(0, length), http2Preface.subarray(0, length)) !== 0) return 'h1';
  return length === http2Preface.length ? 'h2' : null;
}

/** Calls back once with the protocol, the bytes read put back. A socket that says nothing is destroyed. */
function sniff(socket: Socket, timeoutMs: number, clock: Clock, callback: (protocol: 'h1' | 'h2') => void): void {
  const timer = clock.setTimer(timeoutMs, () => socket.destroy());
  const stop = (): void => {
    timer.cancel();
    socket.off('readable', onReadable);
    socket.off('error', onError);
    socket.off('end', onEnd);
    socket.off('close', stop);
  };
  const onError = (): void => void socket.destroy();
  const onEnd = (): void => void socket.destroy();
  let seen: Buffer = Buffer.alloc(0);
  function onReadable(): void {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = decideProtocol(seen);
    if (protocol === null) return;
    stop();
    socket.unshift(seen);
    callback(protocol);
  }
  socket.on('readable', onReadable);
  socket.on('error', onError);
  socket.on('end', onEnd);
  socket.on('close', stop);
}
