import type { Clock } from '@lanner/protocol';
import type { UpstreamProxy } from '../config/upstream-proxy.ts';
import type { Logger } from '../observe/logger.ts';
import { defaultRetryRules } from './decide-next-step.ts';
import { createWebhookSender } from './send-webhook.ts';
import { defaultWebhookLimits, WebhookDeliverer, type WebhookDelivererDeps } from './webhook-deliverer.ts';

/** Under way when the server stops: waited for this long at most. A receiver that is slower gets its webhook again. */
const longestGraceMs = 5_000;

/** Webhooks of one server. */
export interface Webhooks {
  /** Takes up what an earlier server left. */
  start(): Promise<void>;
  /** A delivery to this URL was committed. */
  added(url: string): void;
  /** Idempotent. */
  stop(graceMs: number): Promise<void>;
}

/**
 * @param options.allowPrivate whether receivers may be inside the network.
 * @param options.horizonMs how long a webhook is repeated.
 * @param options.certificates what receivers' certificates are checked against.
 */
export function createWebhooks(
  options: Pick<WebhookDelivererDeps, 'store' | 'results' | 'blobs' | 'keys'> & {
    onAttempt: NonNullable<WebhookDelivererDeps['onAttempt']>;
    allowPrivate: boolean;
    horizonMs: number;
    upstreamProxy: UpstreamProxy | null;
    certificates: () => string[];
    clock: Clock;
    log: Logger;
  },
): Webhooks {
  const { allowPrivate, upstreamProxy, certificates, clock } = options;
  const connectionsPerReceiver = defaultWebhookLimits.perReceiver;
  const sender = createWebhookSender({ allowPrivate, connectionsPerReceiver, upstreamProxy, certificates, clock });
  const deliverer = new WebhookDeliverer({
    ...options,
    sender,
    rules: { ...defaultRetryRules, horizonMs: options.horizonMs },
    log: options.log.child({ component: 'webhooks' }),
  });
  return {
    start: () => deliverer.start(),
    added: (url) => deliverer.added(url),
    async stop(graceMs) {
      await deliverer.stop(Math.min(graceMs, longestGraceMs));
      await sender.close();
    },
  };
}
