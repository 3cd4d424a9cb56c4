import { LannerError } from '@lanner/protocol';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';

/** How many requests wait for an app, and taking them back (data-plane 3.9): `fal queue size` and `fal queue flush`. */
export function createQueueRoutes(deps: Pick<RestDeps, 'apps' | 'queue'>): RestRoute[] {
  const path = '/applications/:owner/:app/queue';
  const aliasOf = async (context: RestContext): Promise<string> => {
    const { accountId, nickname } = context.var.principal;
    const owner = context.req.param('owner') ?? '';
    const app = context.req.param('app') ?? '';
    const alias = owner === nickname ? await deps.apps.getAlias(accountId, app) : null;
    if (alias === null) {
      throw new LannerError('app_not_found', `The app "${owner.slice(0, 100)}/${app.slice(0, 150)}" was not found.`);
    }
    return alias.aliasId;
  };
  return [
    {
      method: 'GET',
      path,
      access: 'serverless:apps:read',
      async handle(context) {
        const { size, byCaller } = deps.queue.count(await aliasOf(context));
        const isByUser = context.req.query('by_user') === 'true';
        return context.json({ size, queue_size: size, ...(isByUser ? { by_user: byCaller } : {}) });
      },
    },
    {
      method: 'DELETE',
      path,
      access: 'serverless:queue:write',
      async handle(context) {
        const flushed = await deps.queue.flush(await aliasOf(context), context.req.query('caller_user_id') ?? null);
        return context.json({ flushed });
      },
    },
  ];
}
