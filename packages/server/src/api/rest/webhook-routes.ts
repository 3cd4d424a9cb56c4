import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import type { Delivery, DeliveryAttempt } from '../../webhooks/delivery.ts';
import type { WebhookKeyInfo } from '../../webhooks/signing-keys.ts';
import { requireOperator } from './require-operator.ts';
import { toValidationError } from './rest-errors.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { toTimestamp } from './timestamps.ts';

const listQuery = z.object({
  status: z.enum(['PENDING', 'DELIVERED', 'FAILED']).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  /** From `next_cursor`. */
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .optional(),
});

/** Receivers keep the set for a day at most; an hour lets a rotation reach them early. */
const keySetMaxAgeSeconds = 3600;

/**
 * Webhooks seen from outside: the key set that receivers verify with (rest-api 7.2), and for whoever submitted, what was tried and
 * trying again.
 */
export function createWebhookRoutes(
  deps: Pick<RestDeps, 'deliveries' | 'webhookKeys' | 'webhooks' | 'operatorAccountId' | 'clock'>,
): RestRoute[] {
  const { deliveries, webhookKeys, clock } = deps;
  const idOf = (context: RestContext): string => context.req.param('requestId') ?? '';
  const detail = async (delivery: Delivery) => ({
    ...toItem(delivery),
    deliveries: (await deliveries.listAttempts(delivery.number)).map(toAttempt),
  });

  return [
    {
      method: 'GET',
      path: '/.well-known/jwks.json',
      access: 'public',
      handle(context) {
        context.header('cache-control', `public, max-age=${keySetMaxAgeSeconds}`);
        // Receivers may be pages of other origins, too.
        context.header('access-control-allow-origin', '*');
        return context.json({ keys: webhookKeys.published() });
      },
    },
    {
      method: 'GET',
      path: '/webhooks/deliveries',
      async handle(context) {
        const query = listQuery.safeParse(context.req.query());
        if (!query.success) throw toValidationError('query', query.error);
        const { status, limit, cursor } = query.data;
        const found = await deliveries.list(context.var.principal.accountId, {
          state: status === undefined ? null : stateOf[status],
          beforeNumber: cursor ?? null,
          // One more, to know whether there is another page.
          limit: limit + 1,
        });
        const page = found.slice(0, limit);
        const hasMore = found.length > limit;
        return context.json({
          items: page.map(toItem),
          next_cursor: hasMore ? String(page.at(-1)!.number) : null,
          has_more: hasMore,
        });
      },
    },
    {
      method: 'GET',
      path: '/webhooks/deliveries/:requestId',
      async handle(context) {
        const delivery = await deliveries.find(context.var.principal.accountId, idOf(context));
        if (delivery === null) throw noDelivery(idOf(context));
        return context.json(await detail(delivery));
      },
    },
    {
      method: 'POST',
      path: '/webhooks/deliveries/:requestId/replay',
      async handle(context) {
        const { accountId } = context.var.principal;
        const replayed = await deliveries.replay(accountId, idOf(context), clock.nowMs());
        if (replayed !== null) deps.webhooks.added(replayed.url);
        // One that is pending is on its way already: asking twice is no mistake.
        const delivery = replayed ?? (await deliveries.find(accountId, idOf(context)));
        if (delivery === null) throw noDelivery(idOf(context));
        return context.json(await detail(delivery), 202);
      },
    },
    {
      method: 'GET',
      path: '/webhooks/keys',
      access: 'account:keys:read',
      handle(context) {
        requireOperator(deps, context);
        return context.json({ keys: webhookKeys.list().map(toKey) });
      },
    },
    {
      method: 'POST',
      path: '/webhooks/keys/rotate',
      access: 'account:keys:write',
      async handle(context) {
        requireOperator(deps, context);
        const immediately = context.req.query('immediately') === 'true';
        return context.json(toKey(await webhookKeys.rotate({ immediately })));
      },
    },
  ];
}

const stateOf = { PENDING: 'pending', DELIVERED: 'delivered', FAILED: 'failed' } as const;

function noDelivery(requestId: string): LannerError {
  return new LannerError(
    'not_found',
    `No webhook of the request ${requestId.slice(0, 100)} was found. It is there once the request has ended.`,
  );
}

function toItem(delivery: Delivery) {
  const isPending = delivery.state === 'pending';
  return {
    request_id: delivery.requestId,
    gateway_request_id: delivery.gatewayRequestId,
    app_id: delivery.appId,
    url: delivery.url,
    status: delivery.state.toUpperCase(),
    attempts: delivery.attempts,
    created_at: toTimestamp(delivery.createdAtMs),
    next_attempt_at: isPending ? toTimestamp(delivery.nextAttemptAtMs) : null,
    ended_at: delivery.endedAtMs === null ? null : toTimestamp(delivery.endedAtMs),
  };
}

function toAttempt(attempt: DeliveryAttempt) {
  return {
    attempt: attempt.attempt,
    started_at: toTimestamp(attempt.startedAtMs),
    duration: attempt.durationMs / 1000,
    status_code: attempt.status,
    error: attempt.error,
  };
}

function toKey(key: WebhookKeyInfo) {
  return {
    kid: key.keyId,
    created_at: toTimestamp(key.createdAtMs),
    signs_from: toTimestamp(key.signsFromMs),
    published_until: key.publishedUntilMs === null ? null : toTimestamp(key.publishedUntilMs),
  };
}
