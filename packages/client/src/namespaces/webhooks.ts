import {
  toWebhookAttempt,
  toWebhookInfo,
  toWebhookKeyInfo,
  type WebhookAttempt,
  type WebhookInfo,
  type WebhookKeyInfo,
  type WebhookStatus,
} from '../records/webhook.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { Listing } from '../transport/listing.ts';

/**
 * Which webhooks to list.
 *
 * @example
 * ```ts
 * const options: WebhooksListOptions = { status: 'failed' };
 * ```
 */
export interface WebhooksListOptions extends CallOptions {
  status?: WebhookStatus | undefined;
  /** Most webhooks, the newest. Default 100. */
  limit?: number | undefined;
}

/**
 * How to change the key that signs webhooks.
 *
 * @example
 * ```ts
 * const options: RotateKeyOptions = { immediately: true };
 * ```
 */
export interface RotateKeyOptions extends CallOptions {
  /** The old keys are withdrawn at once: one of them became known. Default `false`. */
  immediately?: boolean | undefined;
}

type Row = Record<string, unknown>;
type Detail = WebhookInfo & { deliveries: WebhookAttempt[] };

const largestPage = 100;

/**
 * Webhooks of requests that the account submitted: what was tried, and trying again. Lanner only; the hosted platform has no such
 * routes. Receivers use `@lanner/client/webhooks`.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * for await (const { requestId } of client.webhooks.list({ status: 'failed' })) await client.webhooks.replay(requestId);
 * ```
 */
export class WebhooksNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;

  /** @internal */
  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  /**
   * Newest first.
   *
   * @example
   * ```ts
   * for await (const webhook of client.webhooks.list({ status: 'failed' })) console.log(webhook.requestId);
   * ```
   */
  list(options: WebhooksListOptions = {}): Listing<WebhookInfo> {
    return new Listing(async () => {
      const most = options.limit ?? largestPage;
      const found: WebhookInfo[] = [];
      let cursor: string | null = null;
      while (found.length < most) {
        const query = new URLSearchParams({ limit: String(Math.min(most - found.length, largestPage)) });
        if (options.status !== undefined) query.set('status', options.status.toUpperCase());
        if (cursor !== null) query.set('cursor', cursor);
        const page = (await this.#http.json(this.#url(`deliveries?${query.toString()}`), options)) as {
          items: Row[];
          next_cursor: string | null;
        };
        found.push(...page.items.map(toWebhookInfo));
        cursor = page.next_cursor;
        if (cursor === null) break;
      }
      return found;
    });
  }

  /**
   * One with its attempts, oldest first.
   *
   * @example
   * ```ts
   * console.log((await client.webhooks.get('request-id')).deliveries.length);
   * ```
   */
  async get(requestId: string, options: CallOptions = {}): Promise<Detail> {
    return toDetail(await this.#http.json(this.#url(`deliveries/${encodeURIComponent(requestId)}`), options));
  }

  /**
   * Delivers one again that has ended, with a new budget of retries. One that is pending goes on as it is.
   *
   * @example
   * ```ts
   * await client.webhooks.replay('request-id');
   * ```
   */
  async replay(requestId: string, options: CallOptions = {}): Promise<Detail> {
    const url = this.#url(`deliveries/${encodeURIComponent(requestId)}/replay`);
    return toDetail(await this.#http.json(url, { ...options, method: 'POST' }));
  }

  /**
   * The keys of the platform that receivers may meet, oldest first; for the platform's first account.
   *
   * @example
   * ```ts
   * for (const key of await client.webhooks.keys()) console.log(key);
   * ```
   */
  keys(options: CallOptions = {}): Listing<WebhookKeyInfo> {
    return new Listing(async () => {
      const { keys } = (await this.#http.json(this.#url('keys'), options)) as { keys: Row[] };
      return keys.map(toWebhookKeyInfo);
    });
  }

  /**
   * Makes a new key, which signs once receivers had a day to see it; for the platform's first account.
   *
   * @example
   * ```ts
   * console.log(await client.webhooks.rotateKey());
   * ```
   */
  async rotateKey({ immediately, ...options }: RotateKeyOptions = {}): Promise<WebhookKeyInfo> {
    const url = this.#url(`keys/rotate${immediately === true ? '?immediately=true' : ''}`);
    return toWebhookKeyInfo((await this.#http.json(url, { ...options, method: 'POST' })) as Row);
  }

  #url(path: string): string {
    return `${this.#settings.hosts().restUrl}/webhooks/${path}`;
  }
}

function toDetail(answer: unknown): Detail {
  const row = answer as Row;
  return { ...toWebhookInfo(row), deliveries: ((row['deliveries'] ?? []) as Row[]).map(toWebhookAttempt) };
}
