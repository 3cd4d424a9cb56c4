import type { AttemptFailure } from '@lanner/protocol';

/** Why an attempt may be repeated (platform-semantics 5.5). */
export type RetryCondition = 'server_error' | 'timeout' | 'connection_error';

/** Further attempts by condition; a condition left out has the platform's default. `none`: one attempt, whatever happens. */
export type RetryPolicy = { none: true } | { budgets: Partial<Record<RetryCondition, number>> };

/** What the app's code says: `retry_config` (JSON) and `skip_retry_conditions`. */
export interface AppRetryRules {
  retryConfig: string | null;
  skipRetryConditions: readonly string[];
}

/** How an attempt ended, as far as repeating it goes. */
export type AttemptEnd = { status: number; needsRetry: boolean | null } | { failure: AttemptFailure };

/** All attempts of a request together, whatever is configured. */
export const maxAttempts = 10;

const conditions: readonly RetryCondition[] = ['server_error', 'timeout', 'connection_error'];
const firstDelayMs = 1_000;
const longestDelayMs = 60_000;

/** The retry rules of a request's own headers; undefined when they say nothing (that can be read). */
export function readRetryPolicy(noRetry: string | undefined, config: string | undefined): RetryPolicy | undefined {
  if (noRetry !== undefined && /^(1|true|yes)$/i.test(noRetry.trim())) return { none: true };
  const budgets = parseRetryConfig(config);
  return budgets === null ? undefined : { budgets };
}

/** JSON `{condition: {"retries": N}}`; unknown names and other shapes are ignored. null: nothing of use in it. */
export function parseRetryConfig(text: string | null | undefined): Partial<Record<RetryCondition, number>> | null {
  if (!text) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const budgets: Partial<Record<RetryCondition, number>> = {};
  let isEmpty = true;
  for (const condition of conditions) {
    const entry = (value as Record<string, unknown>)[condition];
    const retries =
      typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['retries'] : undefined;
    if (typeof retries !== 'number' || !Number.isFinite(retries)) continue;
    budgets[condition] = Math.max(0, Math.floor(retries));
    isEmpty = false;
  }
  return isEmpty ? null : budgets;
}

/** The condition an end falls under; null: it is final (500, 502, 4xx and success are never repeated by themselves). */
export function conditionOf(end: AttemptEnd): RetryCondition | null {
  if ('status' in end) return end.status === 503 || end.status === 504 ? 'server_error' : null;
  switch (end.failure) {
    case 'timeout':
      return 'timeout';
    case 'refused':
    case 'connect-timeout':
    case 'connect-error':
      return 'connection_error';
    case 'disconnected':
    case 'bad-answer':
      return 'server_error';
    case 'bad-request':
      return null;
  }
}

/**
 * Whether an attempt is repeated, strongest rule first: the request's no-retry, the response's `x-fal-needs-retry` (5xx and
 * 429 only), the request's config, the app's config, the app's list of skipped conditions, the platform's default (as
 * often as the ceiling allows).
 *
 * @param attempts made so far, this one included.
 * @returns the condition to charge (null: the response asked for it), or null for the end.
 */
export function decideRetry(input: {
  end: AttemptEnd;
  attempts: number;
  spent: Readonly<Record<string, number>>;
  request: RetryPolicy | undefined;
  app: AppRetryRules;
}): { condition: RetryCondition | null } | null {
  const { end, attempts, spent, request, app } = input;
  if (attempts >= maxAttempts || (request && 'none' in request)) return null;
  if ('status' in end && end.needsRetry !== null && (end.status >= 500 || end.status === 429)) {
    return end.needsRetry ? { condition: null } : null;
  }
  const condition = conditionOf(end);
  if (condition === null) return null;
  const budget =
    request?.budgets[condition] ??
    parseRetryConfig(app.retryConfig)?.[condition] ??
    (app.skipRetryConditions.includes(condition) ? 0 : maxAttempts);
  return (spent[condition] ?? 0) < budget ? { condition } : null;
}

/** Pause before attempt number `attempts + 1`: doubling from a second, at most a minute, ±20 %. @param random 0 to 1. */
export function retryDelayMs(attempts: number, random: number): number {
  const delayMs = Math.min(firstDelayMs * 2 ** Math.max(0, attempts - 1), longestDelayMs);
  return Math.round(delayMs * (0.8 + 0.4 * random));
}
