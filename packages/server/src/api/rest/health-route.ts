import type { RestDeps } from './rest-deps.ts';
import type { RestRoute } from './rest-route.ts';

/** For load balancers and start scripts: is this server ready for work? */
export function createHealthRoute(deps: Pick<RestDeps, 'isServing'>): RestRoute {
  return {
    method: 'GET',
    path: '/health',
    access: 'public',
    handle: (context) =>
      deps.isServing()
        ? context.json({ status: 'ok' })
        : context.json({ status: 'stopping', detail: 'The server is stopping.' }, 503),
  };
}
