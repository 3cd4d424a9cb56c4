import { requireOperator } from './require-operator.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestRoute } from './rest-route.ts';

/** Metrics of the whole platform in Prometheus' text format, for its operator: they name the apps of every account. */
export function createMetricsRoute(deps: Pick<RestDeps, 'metrics' | 'operatorAccountId'>): RestRoute {
  return {
    method: 'GET',
    path: '/metrics',
    access: 'serverless:metrics:read',
    async handle(context) {
      requireOperator(deps, context);
      context.header('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      return context.body(await deps.metrics.render());
    },
  };
}
