/**
 * Where a webhook stands: `pending` until it is accepted, or given up.
 *
 * @example
 * ```ts
 * const status: WebhookStatus = 'failed';
 * ```
 */
export type WebhookStatus = 'pending' | 'delivered' | 'failed';

/**
 * A webhook of a request that has ended.
 *
 * @example
 * ```ts
 * const webhooks: WebhookInfo[] = await client.webhooks.list();
 * ```
 */
export interface WebhookInfo {
  requestId: string;
  /** `owner/app`. */
  appId: string;
  url: string;
  status: WebhookStatus;
  attempts: number;
  createdAt: Date;
  /** Null: there is none any more. */
  nextAttemptAt: Date | null;
  /** Null: it is pending. */
  endedAt: Date | null;
}

/**
 * One try to deliver a webhook.
 *
 * @example
 * ```ts
 * const attempts: WebhookAttempt[] = (await client.webhooks.get('request-id')).deliveries;
 * ```
 */
export interface WebhookAttempt {
  /** From 1 on. */
  attempt: number;
  startedAt: Date;
  durationSeconds: number;
  /** Null: no answer came. */
  statusCode: number | null;
  /** Short code such as `timeout`, `redirect`, `econnrefused`; null: it was accepted. */
  error: string | null;
}

/**
 * A key that webhooks are signed with.
 *
 * @example
 * ```ts
 * const keys: WebhookKeyInfo[] = await client.webhooks.keys();
 * ```
 */
export interface WebhookKeyInfo {
  keyId: string;
  createdAt: Date;
  signsFrom: Date;
  /** Null: no end in sight. */
  publishedUntil: Date | null;
}

type Row = Record<string, unknown>;

const toDate = (value: unknown): Date => new Date(String(value));
const toDateOrNull = (value: unknown): Date | null => (typeof value === 'string' ? new Date(value) : null);

/** @internal */
export function toWebhookInfo(row: Row): WebhookInfo {
  return {
    requestId: String(row['request_id']),
    appId: String(row['app_id']),
    url: String(row['url']),
    status: String(row['status']).toLowerCase() as WebhookStatus,
    attempts: Number(row['attempts']),
    createdAt: toDate(row['created_at']),
    nextAttemptAt: toDateOrNull(row['next_attempt_at']),
    endedAt: toDateOrNull(row['ended_at']),
  };
}

/** @internal */
export function toWebhookAttempt(row: Row): WebhookAttempt {
  return {
    attempt: Number(row['attempt']),
    startedAt: toDate(row['started_at']),
    durationSeconds: Number(row['duration']),
    statusCode: typeof row['status_code'] === 'number' ? row['status_code'] : null,
    error: typeof row['error'] === 'string' ? row['error'] : null,
  };
}

/** @internal */
export function toWebhookKeyInfo(row: Row): WebhookKeyInfo {
  return {
    keyId: String(row['kid']),
    createdAt: toDate(row['created_at']),
    signsFrom: toDate(row['signs_from']),
    publishedUntil: toDateOrNull(row['published_until']),
  };
}
