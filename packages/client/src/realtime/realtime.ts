import { endpointUrl, parseAppId } from '../calls/app-id.ts';
import { ConfigurationError } from '../errors/client-error.ts';
import { httpHeaders } from '../resolve/credentials.ts';
import type { Settings } from '../resolve/settings.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { RealtimeSession, type RealtimeTarget } from './realtime-connection.ts';
import type { RealtimeConnection, RealtimeOptions } from './realtime-types.ts';
import type { Sockets } from './socket.ts';
import { fetchToken, TokenCache, tokenLifetimeSeconds } from './tokens.ts';

const defaultPath = '/realtime';

/**
 * `client.realtime`: connections to realtime endpoints.
 *
 * @example
 * ```ts
 * await using connection = client.realtime.connect<{ a: number }, { sum: number }>('me/my-app', {
 *   onResult: ({ sum }) => console.log(sum),
 * });
 * connection.send({ a: 1 });
 * ```
 */
export class RealtimeNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #teamUserId: () => Promise<string | undefined>;
  readonly #sockets: Sockets;
  readonly #sessions = new Set<RealtimeConnection<never>>();

  /** @internal */
  constructor(settings: Settings, http: HttpClient, teamUserId: () => Promise<string | undefined>, sockets: Sockets) {
    this.#settings = settings;
    this.#http = http;
    this.#teamUserId = teamUserId;
    this.#sockets = sockets;
  }

  /**
   * A connection to a realtime endpoint (`@fal.realtime`). Returns at once: the first input opens it, and after the app has
   * ended a quiet session the next one opens it again.
   *
   * @example
   * ```ts
   * import { ServerlessClient } from '@lanner/client';
   *
   * await using client = new ServerlessClient();
   * await using connection = client.realtime.connect<{ prompt: string }, { url: string }>('me/my-app', {
   *   onResult: (image) => console.log(image.url),
   *   onError: (error) => console.error(error.message),
   * });
   * connection.send({ prompt: 'a lanner falcon' });
   * ```
   * @throws ConfigurationError `invalid_argument`
   */
  connect<Input = unknown, Output = unknown>(
    appId: string,
    options: RealtimeOptions<Output> = {},
  ): RealtimeConnection<Input> {
    const { maxBuffering, throttleIntervalMs } = options;
    if (maxBuffering !== undefined && !(Number.isInteger(maxBuffering) && maxBuffering >= 1 && maxBuffering <= 60)) {
      throw new ConfigurationError('invalid_argument', 'maxBuffering must be a whole number from 1 to 60.');
    }
    if (throttleIntervalMs !== undefined && !(throttleIntervalMs >= 0)) {
      throw new ConfigurationError('invalid_argument', 'throttleIntervalMs must be a number of milliseconds.');
    }
    const session = new RealtimeSession<Input, Output>(options, this.#targetOf(appId, options), this.#sockets, () =>
      this.#sessions.delete(session),
    );
    if (session.state !== 'closed') this.#sessions.add(session);
    return session;
  }

  /** @internal Closes every connection. */
  close(): void {
    for (const session of this.#sessions) void session.close();
  }

  #targetOf(appId: string, options: Omit<RealtimeOptions<unknown>, 'decode' | 'onResult'>): RealtimeTarget {
    const { app, path: ownPath } = parseAppId(appId);
    const path = options.path ?? (`/${ownPath}`.endsWith(defaultPath) ? '' : defaultPath);
    const endpoint = endpointUrl('', appId, path);
    const { tokenProvider } = options;
    const tokens = tokenProvider
      ? new TokenCache(async () => tokenProvider(endpoint), options.tokenExpiration ?? 0)
      : new TokenCache(
          () => fetchToken(this.#http, this.#settings.hosts().accountUrl, app.split('/').at(-1)!, options.signal),
          tokenLifetimeSeconds,
        );
    return {
      url: async () => {
        const url = new URL(endpointUrl(this.#settings.hosts().runUrl, appId, path).replace(/^http/, 'ws'));
        if (options.maxBuffering !== undefined) url.searchParams.set('max_buffering', String(options.maxBuffering));
        const hasOwnToken = tokenProvider !== undefined;
        if (hasOwnToken || !this.#sockets.hasHeaders) url.searchParams.set('fal_jwt_token', await tokens.get());
        const headers = hasOwnToken ? {} : httpHeaders(await this.#settings.signing(), await this.#teamUserId());
        return { url: url.href, headers };
      },
      forgetToken: () => tokens.forget(),
    };
  }
}
