import type { OutgoingHttpHeaders } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { addCorsHeaders, isPreflight, toPreflightHeaders } from '../../gateway/cors.ts';
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
    // Pages call REST as they call apps; no cookie ever authenticates, so any origin may.
    if (isPreflight(request)) {
      setHeaders(response, toPreflightHeaders(request));
      response.statusCode = 204;
      response.end();
      return;
    }
    const cors: OutgoingHttpHeaders = {};
    addCorsHeaders(cors);
    setHeaders(response, cors);
    routes.set(request, route);
    // Hono matches the path behind the role's prefix.
    request.url = route.path;
    await listener(request, response);
  };
}

function setHeaders(response: AnyResponse, headers: OutgoingHttpHeaders): void {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
}
