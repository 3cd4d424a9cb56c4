import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import type { Clock } from '@lanner/protocol';
import { isExemptFromProxy, type UpstreamProxy } from '../config/upstream-proxy.ts';
import type { SendOutcome } from './decide-next-step.ts';
import { createGuardedLookup, TargetRefusedError } from './guarded-lookup.ts';
import { isForbiddenTarget } from './private-address.ts';
import { createResolveHost, type ResolveHost } from './resolve-host.ts';
import type { WebhookBody } from './webhook-body.ts';
import { literalAddress } from './webhook-url.ts';

/** Posts webhooks. */
export interface WebhookSender {
  /** One POST, redirects not followed. Never throws, except the signal's reason when `signal` is aborted. */
  send(post: {
    url: string;
    headers: Record<string, string>;
    body: WebhookBody;
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<SendOutcome>;
  close(): Promise<void>;
}

/** What an answer may still send after its status is known. */
const mostAnswerBytes = 16 * 1024;
const drainMs = 1_000;

/**
 * Sends over kept connections, `connectionsPerReceiver` at most to each.
 *
 * @param options.allowPrivate whether targets inside the network are allowed.
 * @param options.certificates what receivers' certificates are checked against; asked once, at the first webhook.
 */
export function createWebhookSender(options: {
  allowPrivate: boolean;
  connectionsPerReceiver: number;
  upstreamProxy: UpstreamProxy | null;
  certificates: () => string[];
  clock: Clock;
  /** Default: hosts file, DNS, system. */
  resolveHost?: ResolveHost;
}): WebhookSender {
  const { allowPrivate, connectionsPerReceiver, upstreamProxy, clock } = options;
  const resolveHost = options.resolveHost ?? createResolveHost();
  const shared = {
    connections: connectionsPerReceiver,
    pipelining: 1,
    allowH2: false,
    // Time is kept by the clock of the server, below.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
  };
  let direct: Agent | undefined;
  let proxied: ProxyAgent | undefined;

  const dispatcherFor = async (url: URL): Promise<Dispatcher> => {
    const literal = literalAddress(url.hostname);
    if (literal !== null && isForbiddenTarget(literal, allowPrivate)) {
      throw new TargetRefusedError('the target is inside the network');
    }
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port);
    const ca = options.certificates;
    if (upstreamProxy === null || isExemptFromProxy(url.hostname, port, upstreamProxy.noProxy)) {
      return (direct ??= new Agent({
        ...shared,
        connect: { lookup: createGuardedLookup(resolveHost, allowPrivate), ca: ca(), timeout: 0 },
      }));
    }
    if (literal === null) {
      // The proxy resolves the name itself. What we can see of it is looked at all the same.
      const seen = await resolveHost(url.hostname).catch(() => []);
      if (seen.length > 0 && seen.every(({ address }) => isForbiddenTarget(address, allowPrivate))) {
        throw new TargetRefusedError('the target is inside the network');
      }
    }
    return (proxied ??= new ProxyAgent({ ...shared, uri: upstreamProxy.url, requestTls: { ca: ca() } }));
  };

  return {
    async send({ url: text, headers, body, timeoutMs, signal }) {
      const url = new URL(text);
      const ending = new AbortController();
      const abort = (): void => ending.abort(signal.reason);
      let isLate = false;
      const timer = clock.setTimer(timeoutMs, () => {
        isLate = true;
        ending.abort();
      });
      signal.addEventListener('abort', abort, { once: true });
      try {
        signal.throwIfAborted();
        const dispatcher = await dispatcherFor(url);
        const content = body.open();
        const answer = await dispatcher.request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: 'POST',
          headers: { ...headers, ...toBasic(url), 'content-length': String(body.sizeBytes) },
          body: content instanceof Uint8Array ? content : (content as never),
          signal: ending.signal,
        });
        const drain = clock.setTimer(drainMs, () => ending.abort());
        await answer.body.dump({ limit: mostAnswerBytes, signal: ending.signal }).catch(() => undefined);
        drain.cancel();
        return { kind: 'answered', status: answer.statusCode };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof TargetRefusedError) return { kind: 'refused', reason: error.code };
        return { kind: 'failed', reason: isLate ? 'timeout' : toReason(error) };
      } finally {
        timer.cancel();
        signal.removeEventListener('abort', abort);
      }
    },
    async close() {
      await Promise.all([direct?.destroy(), proxied?.destroy()]);
    },
  };
}

/** User and password of a URL, which fetch refuses and webhooks use. */
function toBasic({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
}

/** A code and nothing else: texts of errors may hold the URL. */
function toReason(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[\w-]{1,60}$/.test(code) ? code.toLowerCase() : 'failed';
}
