import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { ConfigurationError } from '../errors/client-error.ts';
import type { AccountsNamespace } from './accounts.ts';

/**
 * How many requests wait for an app.
 *
 * @example
 * ```ts
 * const queue: QueueSize = await client.queue.size('my-app', { byUser: true });
 * console.log(queue.size, queue.byUser);
 * ```
 */
export interface QueueSize {
  size: number;
  /** By caller; only when asked for. */
  byUser: Record<string, number> | null;
}

/**
 * How to count.
 *
 * @example
 * ```ts
 * const options: QueueSizeOptions = { byUser: true };
 * ```
 */
export interface QueueSizeOptions extends CallOptions {
  /** Count by caller too. Default `false`. */
  byUser?: boolean | undefined;
}

/**
 * Which requests to remove.
 *
 * @example
 * ```ts
 * const options: QueueFlushOptions = { callerUserId: 'user-id' };
 * ```
 */
export interface QueueFlushOptions extends CallOptions {
  /** Only requests of this caller. */
  callerUserId?: string | undefined;
}

/**
 * Waiting requests of the account's own apps: `fal queue …`. The name is without owner, with `--<environment>` outside main.
 *
 * @example
 * ```ts
 * if ((await client.queue.size('my-app')).size > 1000) await client.queue.flush('my-app');
 * ```
 */
export class QueueNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #accounts: AccountsNamespace;

  /** @internal */
  constructor(settings: Settings, http: HttpClient, accounts: AccountsNamespace) {
    this.#settings = settings;
    this.#http = http;
    this.#accounts = accounts;
  }

  /**
   * How many requests wait.
   *
   * @example
   * ```ts
   * const { size } = await client.queue.size('my-app');
   * console.log(size);
   * ```
   */
  async size(appName: string, options: QueueSizeOptions = {}): Promise<QueueSize> {
    const url = await this.#url(appName, options);
    const answer = (await this.#http.json(options.byUser ? `${url}?by_user=true` : url, options)) as Record<
      string,
      unknown
    >;
    const size = answer['size'] ?? answer['queue_size'];
    return {
      size: typeof size === 'number' ? size : 0,
      byUser: (answer['by_user'] as Record<string, number> | null | undefined) ?? null,
    };
  }

  /**
   * Removes the requests that wait; those being worked on go on.
   *
   * @example
   * ```ts
   * await client.queue.flush('my-app--staging');
   * ```
   */
  async flush(appName: string, options: QueueFlushOptions = {}): Promise<void> {
    const url = await this.#url(appName, options);
    const query =
      options.callerUserId === undefined
        ? ''
        : `?${new URLSearchParams({ caller_user_id: options.callerUserId }).toString()}`;
    await this.#http.json(url + query, { method: 'DELETE', signal: options.signal, timeoutMs: options.timeoutMs });
  }

  async #url(appName: string, options: CallOptions): Promise<string> {
    if (appName === '' || appName.includes('/')) {
      throw new ConfigurationError('invalid_argument', `"${appName}" is not the name of an app without its owner.`, {
        advice: 'Queues can be seen for your own apps only: give "my-app", not "owner/my-app".',
      });
    }
    const { nickname } = await this.#accounts.current({ signal: options.signal, timeoutMs: options.timeoutMs });
    return `${this.#settings.hosts().restUrl}/applications/${encodeURIComponent(nickname)}/${encodeURIComponent(appName)}/queue`;
  }
}
