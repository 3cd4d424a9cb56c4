import { z } from 'zod';
import { readJson } from './read-json.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { toTimestamp } from './timestamps.ts';

/** When the caller names no lifetime (rest-api 2.11). */
const defaultLifetimeSeconds = 300;

const seconds = z.number().int().positive().optional();

/** Every shape that clients and documentation of the hosted platform send (data-plane 1.5), at both paths. */
const body = z
  .object({
    allowed_apps: z.array(z.string()).optional(),
    app: z.string().optional(),
    token_expiration: seconds,
    duration: seconds,
  })
  .transform(({ allowed_apps: allowed, app, token_expiration: expiration, duration }) => ({
    apps: [...(allowed ?? []), ...(app === undefined ? [] : [app])],
    lifetimeSeconds: expiration ?? duration ?? defaultLifetimeSeconds,
  }));

/**
 * Short-lived tokens for callers that must not hold a key: `/tokens/` answers with the token as a JSON string, as the official
 * clients want it; `/tokens/realtime` with `{token, expires_at}`.
 */
export function createTokenRoutes(deps: Pick<RestDeps, 'appTokens'>): RestRoute[] {
  const create = async (context: RestContext): ReturnType<typeof deps.appTokens.create> => {
    context.header('cache-control', 'no-store');
    return deps.appTokens.create(context.var.principal, await readJson(context, body));
  };
  const asString = async (context: RestContext): Promise<Response> => context.json((await create(context)).token, 201);
  const asObject = async (context: RestContext): Promise<Response> => {
    const { token, expiresAtMs } = await create(context);
    return context.json({ token, expires_at: toTimestamp(expiresAtMs) }, 201);
  };
  return [
    { method: 'POST', path: '/tokens/', handle: asString },
    { method: 'POST', path: '/tokens', handle: asString },
    { method: 'POST', path: '/tokens/realtime', handle: asObject },
    { method: 'POST', path: '/tokens/realtime/', handle: asObject },
  ];
}
