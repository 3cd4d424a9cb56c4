import type { HttpBindings, Http2Bindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Permission } from '../../auth/permissions.ts';
import type { Principal } from '../../auth/principal.ts';
import type { Origin } from '../../ports/route.ts';

/** What Hono hands to every REST handler. */
export interface RestEnv {
  Bindings: (HttpBindings | Http2Bindings) & { origin: Origin };
  /** `principal` is there behind the authorisation of a route, i.e. in every handler that is not public. */
  Variables: { principal: Principal; requestId: string };
}

export type RestContext = Context<RestEnv>;

/** One REST route. Everything not listed as a route is answered with 404, another method of a listed path with 405. */
export interface RestRoute {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Hono's pattern, e.g. `/runners/:runnerId`. */
  path: string;
  /** `public`: no credentials wanted. A permission overrides the one of the path's family in auth/permission-map.ts. */
  access?: 'public' | Permission;
  handle: (context: RestContext) => Response | Promise<Response>;
}
