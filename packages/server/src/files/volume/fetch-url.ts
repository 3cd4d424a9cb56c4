import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import { LannerError } from '@lanner/protocol';
import { isExemptFromProxy, type UpstreamProxy } from '../../config/upstream-proxy.ts';
import { createGuardedLookup } from '../../webhooks/guarded-lookup.ts';
import { isForbiddenTarget } from '../../webhooks/private-address.ts';
import { createResolveHost, type ResolveHost } from '../../webhooks/resolve-host.ts';
import { literalAddress } from '../../webhooks/webhook-url.ts';
import type { Incoming } from '../intake.ts';

/** Fetches what an account wants to have in its volume. */
export interface UrlFetcher {
  /** Throws `invalid_argument` for a URL that is not allowed, or does not give a file. */
  fetch<Result>(url: string, signal: AbortSignal, use: (incoming: Incoming) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

const mostRedirects = 5;
const connectTimeoutMs = 15_000;
const idleTimeoutMs = 60_000;

/**
 * Fetches over http and https. An address inside the network is reached only where that is allowed, or where it is our own file
 * host: each connection goes to an address that was looked at, so a name that answers differently later gains nothing.
 */
export function createUrlFetcher(options: {
  allowPrivate: boolean;
  /** Where this machine reaches the Internet through one. */
  upstreamProxy: UpstreamProxy | null;
  /** What the URLs of our own files begin with. */
  ownUrls: () => readonly string[];
  /** PEM certificates that are trusted. */
  certificates: () => string[];
  resolveHost?: ResolveHost;
}): UrlFetcher {
  const resolveHost = options.resolveHost ?? createResolveHost();
  const agents = new Map<boolean, Agent>();
  const { upstreamProxy } = options;
  let proxied: ProxyAgent | undefined;
  const agentFor = (allowPrivate: boolean): Agent => {
    let agent = agents.get(allowPrivate);
    if (agent === undefined) {
      agent = new Agent({
        allowH2: false,
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        connect: {
          lookup: createGuardedLookup(resolveHost, allowPrivate),
          ca: options.certificates(),
          timeout: connectTimeoutMs,
        },
      });
      agents.set(allowPrivate, agent);
    }
    return agent;
  };

  const dispatcherFor = async (url: URL, allowPrivate: boolean): Promise<Dispatcher> => {
    const literal = literalAddress(url.hostname);
    if (literal !== null && isForbiddenTarget(literal, allowPrivate)) throw refused(url, 'lies inside the network');
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
    if (upstreamProxy === null || isExemptFromProxy(url.hostname, port, upstreamProxy.noProxy)) {
      return agentFor(allowPrivate);
    }
    if (literal === null) {
      // The proxy resolves the name itself. What we can see of it is looked at all the same.
      const seen = await resolveHost(url.hostname).catch(() => []);
      if (seen.length > 0 && seen.every(({ address }) => isForbiddenTarget(address, allowPrivate))) {
        throw refused(url, 'lies inside the network');
      }
    }
    return (proxied ??= new ProxyAgent({ uri: upstreamProxy.url, requestTls: { ca: options.certificates() } }));
  };

  const request = async (url: URL, signal: AbortSignal): Promise<Dispatcher.ResponseData> => {
    const isOwn = options.ownUrls().some((prefix) => url.href.startsWith(prefix));
    const allowPrivate = options.allowPrivate || isOwn;
    const dispatcher = await dispatcherFor(url, allowPrivate);
    try {
      return await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'lanner' },
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const code = (error as { code?: unknown }).code;
      if (code === 'target_refused') throw refused(url, 'lies inside the network');
      throw refused(url, `cannot be reached (${typeof code === 'string' ? code : 'connection failed'})`);
    }
  };

  return {
    async fetch(text, signal, use) {
      let url = parse(text);
      for (let hop = 0; hop <= mostRedirects; hop += 1) {
        const answer = await request(url, signal);
        const { location } = answer.headers;
        if ([301, 302, 303, 307, 308].includes(answer.statusCode) && typeof location === 'string') {
          await answer.body.dump();
          url = parse(new URL(location, url).href);
          continue;
        }
        if (answer.statusCode !== 200) {
          await answer.body.dump();
          throw refused(url, `answers ${answer.statusCode}`);
        }
        const length = answer.headers['content-length'];
        const announcedBytes = typeof length === 'string' && /^\d{1,16}$/.test(length) ? Number(length) : null;
        try {
          return await use({ announcedBytes, bytes: answer.body });
        } finally {
          answer.body.destroy();
        }
      }
      throw refused(url, `redirects more than ${mostRedirects} times`);
    },
    async close() {
      await Promise.all([...[...agents.values()].map((agent) => agent.destroy()), proxied?.destroy()]);
    },
  };
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new LannerError('invalid_argument', 'Only http and https URLs can be fetched.');
  }
  return url;
}

/** Without path and query, which may hold a secret. */
const refused = (url: URL, why: string): LannerError =>
  new LannerError('invalid_argument', `The URL at ${url.origin} ${why}; nothing was stored.`);
