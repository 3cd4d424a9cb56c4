import { LannerError } from '@lanner/protocol';
import type { RestDeps } from './rest-deps.ts';
import type { RestRoute } from './rest-route.ts';

/**
 * Erasing what a request was sent with and what came out (rest-api 5.2). Asking again changes nothing. `cdn_delete_results` names
 * the output files that were removed with it.
 */
export function createPayloadRoutes(deps: Pick<RestDeps, 'erasePayloads'>): RestRoute[] {
  return ['/v1/models/requests/:requestId/payloads', '/models/requests/:requestId/payloads'].map((path) => ({
    method: 'DELETE',
    path,
    access: 'models:requests:write',
    async handle(context) {
      const requestId = context.req.param('requestId') ?? '';
      const removed = await deps.erasePayloads(context.var.principal.accountId, requestId);
      if (removed === null) {
        throw new LannerError(
          'not_found',
          `No request ${requestId.slice(0, 100)} of this account has ended. What still runs is cancelled first.`,
        );
      }
      return context.json({ cdn_delete_results: removed });
    },
  }));
}
