import type { ServerHttp2Session } from 'node:http2';
import type { Clock } from '@lanner/protocol';
import type { PortLimits } from './port-limits.ts';

/** Options of both HTTP/2 servers. */
export const http2Options = (limits: PortLimits) => ({
  maxSessionMemory: limits.sessionMemoryMiB,
  maxHeaderListPairs: 256,
  settings: {
    initialWindowSize: limits.streamWindowBytes,
    maxConcurrentStreams: limits.maxStreamsPerSession,
    maxHeaderListSize: limits.maxHeaderBytes,
  },
});

/** Options of both HTTP/1.1 servers. */
export const http1Options = (limits: PortLimits) => ({
  maxHeaderSize: limits.maxHeaderBytes,
  headersTimeout: limits.headersTimeoutMs,
  requestTimeout: limits.requestTimeoutMs,
  connectionsCheckingInterval: limits.checkIntervalMs,
  keepAliveTimeout: limits.keepAliveTimeoutMs,
});

/** Keeps every HTTP/2 connection of one port in view. */
export interface Http2Sessions {
  track(session: ServerHttp2Session): void;
  /** Tells every peer to send nothing new (GOAWAY); connections end with their last stream. */
  closeGracefully(): void;
}

/**
 * Node closes nothing on its own that is quiet: connections without a stream are closed after `sessionIdleMs`, those
 * with streams are pinged and dropped when the peer is gone, and those that never finish the opening exchange are dropped.
 */
export function createHttp2Sessions(clock: Clock, limits: PortLimits): Http2Sessions {
  const sessions = new Set<ServerHttp2Session>();
  let isClosing = false;
  return {
    track(session) {
      sessions.add(session);
      let openStreams = 0;
      const opening = clock.setTimer(limits.headersTimeoutMs, () => session.destroy());
      session.once('remoteSettings', () => opening.cancel());
      session.once('close', () => {
        opening.cancel();
        sessions.delete(session);
      });
      session.on('stream', (stream) => {
        openStreams += 1;
        stream.once('close', () => (openStreams -= 1));
      });
      session.setLocalWindowSize(limits.sessionWindowBytes);
      session.setTimeout(limits.sessionIdleMs, () => {
        if (openStreams === 0) session.close();
        else dropUnlessAlive(session, clock, limits);
      });
      // its TLS handshake began before the port was closed
      if (isClosing) session.close();
    },
    closeGracefully() {
      isClosing = true;
      for (const session of sessions) session.close();
    },
  };
}

function dropUnlessAlive(session: ServerHttp2Session, clock: Clock, limits: PortLimits): void {
  const timer = clock.setTimer(limits.pingTimeoutMs, () => session.destroy());
  const sent = session.ping((error) => {
    timer.cancel();
    if (error !== null) session.destroy();
  });
  if (!sent) {
    timer.cancel();
    session.destroy();
  }
}
