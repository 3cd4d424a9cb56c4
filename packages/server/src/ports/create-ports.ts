import { LannerError, type Clock } from '@lanner/protocol';
import { formatAuthority, isLoopback } from '../config/authority.ts';
import type { UpstreamProxy } from '../config/upstream-proxy.ts';
import type { TlsIdentities } from './certificate-authority.ts';
import { createClearPort } from './clear-port.ts';
import { createInterceptProxy } from './intercept-proxy.ts';
import { createPortListeners, type PortHandlers, type PortLog } from './port-handlers.ts';
import { portLimits, type PortLimits } from './port-limits.ts';
import { createTlsPort } from './tls-port.ts';

/** The part of the configuration the ports need. */
export interface PortsConfig {
  host: string;
  /** 0 picks a free port. */
  port: number;
  httpPort: number;
  domain: string | null;
  publicUrl: string | null;
  remoteProxy: boolean;
  upstreamProxy: UpstreamProxy | null;
}

export interface Ports {
  /** Listens on both ports and resolves with the real ones. Throws `config_invalid` when one cannot be had. */
  start(): Promise<{ tlsPort: number; httpPort: number }>;
  /** Stops accepting at once, then waits up to `graceMs` for what is in flight; a further call can only shorten that. Works after a failed start. */
  stop(options: { graceMs: number }): Promise<void>;
}

/** Both ports of a server. `ca` must be started before. `proxyToken` opens the CONNECT proxy. */
export function createPorts(options: {
  config: PortsConfig;
  ca: TlsIdentities;
  proxyToken: string;
  clock: Clock;
  log: PortLog;
  handlers: PortHandlers;
  /** Replaces single limits. */
  limits?: Partial<PortLimits>;
}): Ports {
  const { config, ca, clock, log, handlers } = options;
  const limits = { ...portLimits, ...options.limits };
  const listenersFor = (scheme: 'https' | 'http') =>
    createPortListeners({ scheme, addresses: config, handlers, clock, log });
  const tls = createTlsPort({
    identities: ca,
    listeners: listenersFor('https'),
    limits,
    clock,
    isLocal: isLoopback(config.host),
  });
  const proxy = createInterceptProxy({
    token: options.proxyToken,
    allowRemote: config.remoteProxy,
    upstreamProxy: config.upstreamProxy,
    adopt: tls.adopt,
    limits,
    clock,
    log,
  });
  const clear = createClearPort({ listeners: listenersFor('http'), onConnect: proxy.onConnect, limits, clock });
  let started: Promise<{ tlsPort: number; httpPort: number }> | null = null;

  async function listenOn(port: typeof tls | typeof clear, number: number, flag: string): Promise<number> {
    try {
      return await port.listen(config.host, number);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const reason =
        code === 'EADDRINUSE'
          ? 'is in use by another program'
          : code === 'EACCES'
            ? 'may not be used by this user'
            : `cannot be used (${code})`;
      throw new LannerError(
        'config_invalid',
        `${formatAuthority(config.host, number)} ${reason}. Choose another with ${flag} (0 picks a free port) or --host.`,
        { cause: error },
      );
    }
  }

  return {
    start() {
      started ??= (async () => {
        const tlsPort = await listenOn(tls, config.port, '--port');
        const httpPort = await listenOn(clear, config.httpPort, '--http-port');
        return { tlsPort, httpPort };
      })();
      return started;
    },
    async stop({ graceMs }) {
      // tunnels end in the TLS port, so both drain at the same time
      await Promise.all([clear.stop(graceMs), tls.stop(graceMs)]);
    },
  };
}
