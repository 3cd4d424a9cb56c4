import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { LannerError } from '@lanner/protocol';
import { parseAuthorizationHeader } from '../../auth/parse-credential.ts';
import { permissionOfRestRoute } from '../../auth/permission-map.ts';
import { requirePermission, type Permission } from '../../auth/permissions.ts';
import { createAppFileRoutes } from './app-file-routes.ts';
import { createApplicationRoutes } from './application-routes.ts';
import { createDataFileRoutes } from './data-file-routes.ts';
import { createHealthRoute } from './health-route.ts';
import { createLogRoutes } from './log-routes.ts';
import { createMetricsRoute } from './metrics-route.ts';
import { createPayloadRoutes } from './payload-routes.ts';
import { createQueueRoutes } from './queue-routes.ts';
import type { RestDeps } from './rest-deps.ts';
import { toPlatformError, toRestAnswer } from './rest-errors.ts';
import type { RestContext, RestEnv, RestRoute } from './rest-route.ts';
import { createRunnerRoutes } from './runner-routes.ts';
import { createStorageRoutes } from './storage-routes.ts';
import { createTokenRoutes } from './token-routes.ts';
import { createUserRoutes } from './user-routes.ts';
import { createWebhookRoutes } from './webhook-routes.ts';
import { createWorkflowRoutes } from './workflow-routes.ts';

/** The REST routes as a Hono app: request id on every answer, `{"detail": …}` for every refusal. */
export function createRestApp(deps: RestDeps): Hono<RestEnv> {
  const app = new Hono<RestEnv>({ strict: true });
  const refuse = (context: RestContext, error: unknown): Response => {
    const { status, body } = toRestAnswer(error, deps.log);
    context.header('x-fal-request-id', context.var.requestId);
    const isPlatformApi = context.req.path.startsWith('/v1/');
    return context.json(
      isPlatformApi ? { ...body, error: toPlatformError(status, body.detail, context.var.requestId) } : body,
      status as 500,
    );
  };

  app.use(async (context, next) => {
    context.set('requestId', randomUUID());
    context.header('x-fal-request-id', context.var.requestId);
    const startMs = deps.clock.monotonicMs();
    await next();
    deps.log.info(
      {
        requestId: context.var.requestId,
        method: context.req.method,
        // Without the query, which may hold what somebody searched for.
        path: context.req.path,
        status: context.res.status,
        accountId: context.var.principal?.accountId,
        totalMs: Math.round(deps.clock.monotonicMs() - startMs),
      },
      'rest call finished',
    );
  });
  app.onError((error, context) => refuse(context, error));
  app.notFound((context) =>
    refuse(context, new LannerError('not_found', `The route ${context.req.path.slice(0, 200)} was not found.`)),
  );

  const routes: RestRoute[] = [
    createHealthRoute(deps),
    createMetricsRoute(deps),
    ...createUserRoutes(deps),
    ...createAppFileRoutes(deps),
    ...createRunnerRoutes(deps),
    ...createLogRoutes(deps),
    ...createApplicationRoutes(deps),
    ...createQueueRoutes(deps),
    ...createPayloadRoutes(deps),
    ...createWebhookRoutes(deps),
    ...createWorkflowRoutes(deps),
    ...createTokenRoutes(deps),
    ...createStorageRoutes(deps),
    ...createDataFileRoutes(deps),
  ];
  for (const route of routes) {
    const handlers = [];
    if (route.access !== 'public') handlers.push(authorised(deps, route));
    app.on(route.method, [route.path], ...handlers, (context) => route.handle(context));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map((route) => route.method);
    app.all(path, (context) => {
      context.header('allow', methods.join(', '));
      return refuse(
        context,
        new LannerError(
          'method_not_allowed',
          `The route ${context.req.path.slice(0, 200)} has no method ${context.req.method}; it has ${methods.join(', ')}.`,
        ),
      );
    });
  }
  return app;
}

/** Authenticates the caller and checks the permission of the route. */
function authorised(deps: Pick<RestDeps, 'authenticator'>, route: RestRoute) {
  return createMiddleware<RestEnv>(async (context, next) => {
    const credential = parseAuthorizationHeader(context.req.header('authorization'));
    const principal = await deps.authenticator.authenticate(credential);
    requirePermission(principal, permissionOf(route, context));
    context.set('principal', principal);
    await next();
  });
}

function permissionOf(route: RestRoute, context: RestContext): Permission {
  const permission =
    route.access === undefined || route.access === 'public'
      ? permissionOfRestRoute(context.req.method, context.req.path)
      : route.access;
  if (permission === null) {
    throw new LannerError('internal_error', `No permission is assigned to the route ${route.method} ${route.path}.`);
  }
  return permission;
}
