import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { toLannerError, type Clock } from '@lanner/protocol';
import { isLoopback, parseAuthority } from '../config/authority.ts';
import { isFalHost } from '../config/fal-hosts.ts';
import { decodeProxyUser, parseBasic, type UpstreamChoice } from '../config/proxy-credentials.ts';
import type { UpstreamProxy } from '../config/upstream-proxy.ts';
import type { PortLog } from './port-handlers.ts';
import type { PortLimits } from './port-limits.ts';
import { writeRawResponse } from './raw-response.ts';
import { dial, join } from './tunnel.ts';

/**
 * The CONNECT proxy of intercept mode. Tunnels to the hosted platform's host names, whatever the port, end in our own TLS
 * port; all others are passed on untouched. Nothing opens without the token.
 */
export interface InterceptProxy {
  onConnect(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

export function createInterceptProxy(options: {
  token: string;
  /** Whether callers on other machines are served. */
  allowRemote: boolean;
  /** For callers that leave the choice to the server. */
  upstreamProxy: UpstreamProxy | null;
  /** Takes the inner end of a tunnel to fal's hosts. */
  adopt: (socket: Socket) => void;
  limits: PortLimits;
  clock: Clock;
  log: PortLog;
}): InterceptProxy {
  const { limits, clock, log } = options;
  const tokenDigest = digest(options.token);
  let tunnels = 0;
  const refuse = (socket: Socket, status: number, detail: string, headers = {}): void =>
    writeRawResponse(socket, { status, detail, headers }, clock);

  function authenticate(header: string | undefined): UpstreamChoice | null {
    const presented = parseBasic(header);
    // Digests have one length, so the comparison tells nothing about the token's.
    const matches = timingSafeEqual(digest(presented?.password ?? ''), tokenDigest);
    return presented !== null && matches ? decodeProxyUser(presented.user) : null;
  }

  async function tunnel(
    socket: Socket,
    head: Buffer,
    hostname: string,
    port: number,
    choice: UpstreamChoice,
  ): Promise<void> {
    if (tunnels >= limits.maxTunnels) {
      return refuse(socket, 503, `More than ${limits.maxTunnels} tunnels are open.`);
    }
    tunnels += 1;
    socket.once('close', () => (tunnels -= 1));
    const upstream = choice.kind === 'proxy' ? choice.proxy : choice.kind === 'direct' ? null : options.upstreamProxy;
    let remote: { socket: Socket; head: Buffer };
    try {
      remote = await dial(hostname, port, upstream, limits.tunnelConnectTimeoutMs, clock);
    } catch (error) {
      log.debug({ hostname, port, err: error }, 'tunnel failed');
      return refuse(socket, 502, toLannerError(error).message);
    }
    if (socket.destroyed) return void remote.socket.destroy();
    if (remote.head.length > 0) remote.socket.unshift(remote.head);
    if (head.length > 0) socket.unshift(head);
    socket.write(established);
    join(socket, remote.socket);
  }

  return {
    onConnect(request, socket, head) {
      socket.setTimeout(0);
      socket.on('error', () => socket.destroy());
      const { remoteAddress = '', localAddress } = socket;
      if (!options.allowRemote && !isLoopback(remoteAddress) && remoteAddress !== localAddress) {
        return refuse(socket, 403, 'The proxy serves this machine only; see --remote-proxy.');
      }
      const choice = authenticate(request.headers['proxy-authorization']);
      if (choice === null) {
        return refuse(socket, 407, 'The proxy needs its token: use the proxy URL that `lanner exec` sets.', {
          'proxy-authenticate': 'Basic realm="lanner"',
        });
      }
      const target = parseAuthority(request.url ?? '');
      if (target === null || target.port === null) {
        return refuse(socket, 400, 'CONNECT needs host:port.');
      }
      if (!isFalHost(target.hostname)) {
        return void tunnel(socket, head, target.hostname, target.port, choice);
      }
      socket.write(established, () => {
        if (socket.destroyed) return;
        if (head.length > 0) socket.unshift(head);
        options.adopt(socket);
      });
    },
  };
}

const established = 'HTTP/1.1 200 Connection established\r\n\r\n';
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
