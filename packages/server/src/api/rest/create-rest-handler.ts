import { getRequestListener } from '@hono/node-server';
import type { AnyResponse } from '../../ports/port-handlers.ts';
import type { AnyRequest, Route } from '../../ports/route.ts';
import { createRestApp } from './create-rest-app.ts';
import type { RestDeps } from './rest-deps.ts';

/** Handles one HTTP request of the role `rest`; resolves when it is answered. */
export type RestHandler = (request: AnyRequest, response: AnyResponse, route: Route) => Promise<void>;

/** The REST routes for Node's servers, HTTP/1.1 and HTTP/2. */
export function createRestHandler(deps: RestDeps): RestHandler {
  const app = createRestApp(deps);
  const routes = new WeakMap<AnyRequest, Route>();
  const listener = getRequestListener(
    (request, bindings) => app.fetch(request, { ...bindings, origin: routes.get(bindings.incoming)?.origin }),
    { overrideGlobalObjects: false },
  );
  return async (request, response, route) => {
    routes.set(request, route);
    // Hono matches the path behind the role's prefix.
    request.url = route.path;
    await listener(request, response);
  };
}
