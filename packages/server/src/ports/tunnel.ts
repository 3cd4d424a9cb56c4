import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { LannerError, type Clock } from '@lanner/protocol';
import { formatAuthority } from '../config/authority.ts';
import { isExemptFromProxy, parseProxyUrl, type UpstreamProxy } from '../config/upstream-proxy.ts';

/**
 * A raw connection to `hostname:port`, through `upstream` unless the host is exempt from it. Rejects with
 * `bad_request` (the host cannot be reached; the message says why) after `timeoutMs` at the latest.
 */
export async function dial(
  hostname: string,
  port: number,
  upstream: UpstreamProxy | null,
  timeoutMs: number,
  clock: Clock,
): Promise<{ socket: Socket; head: Buffer }> {
  const abort = new AbortController();
  const timer = clock.setTimer(timeoutMs, () =>
    abort.abort(new LannerError('bad_request', `${hostname}:${port} did not answer in time.`)),
  );
  try {
    const proxy = upstream === null || isExemptFromProxy(hostname, port, upstream.noProxy) ? null : upstream;
    return proxy === null
      ? await dialDirectly(hostname, port, abort.signal)
      : await dialThrough(proxy, hostname, port, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) throw abort.signal.reason;
    throw error instanceof LannerError
      ? error
      : new LannerError('bad_request', `${hostname}:${port} cannot be reached (${errorCode(error)}).`, {
          cause: error,
        });
  } finally {
    timer.cancel();
  }
}

/** Connects two sockets both ways with back-pressure; the end or failure of one ends the other. */
export function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.setTimeout(0);
    from.setNoDelay(true);
    from.setKeepAlive(true, 60_000);
    from.on('error', () => from.destroy());
    // After an orderly end the last bytes may still be on their way out of the other socket.
    from.on('close', () => (from.readableEnded ? to.destroySoon() : to.destroy()));
    from.pipe(to);
  }
}

function dialDirectly(hostname: string, port: number, signal: AbortSignal): Promise<{ socket: Socket; head: Buffer }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, allowHalfOpen: true });
    const onAbort = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', reject);
      resolve({ socket, head: Buffer.alloc(0) });
    });
  });
}

function dialThrough(
  proxy: UpstreamProxy,
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<{ socket: Socket; head: Buffer }> {
  const url = parseProxyUrl(proxy.url);
  if (url === null) throw new LannerError('bad_request', 'The upstream proxy is not an HTTP proxy.');
  const target = formatAuthority(hostname, port);
  const headers: Record<string, string> = { host: target };
  if (url.username !== '' || url.password !== '') {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['proxy-authorization'] = `Basic ${Buffer.from(login).toString('base64')}`;
  }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({
      method: 'CONNECT',
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
      path: target,
      headers,
      agent: false,
      signal,
    });
    request.once('error', reject);
    request.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      request.off('error', reject);
      if (response.statusCode === 200) return resolve({ socket, head });
      socket.destroy();
      reject(new LannerError('bad_request', `The upstream proxy answered ${response.statusCode} for ${target}.`));
    });
    request.end();
  });
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
