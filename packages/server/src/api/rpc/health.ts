import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { HealthCheckResponse_ServingStatus as Status, type Health } from '@lanner/protocol/health';
import { IsolateController } from '@lanner/protocol/controller';

const knownServices = new Set(['', IsolateController.typeName]);

/** The standard gRPC health service, for load balancers; it wants no credentials. */
export function createHealthMethods(deps: { isServing: () => boolean }): ServiceImpl<typeof Health> {
  const statusNow = (): Status => (deps.isServing() ? Status.SERVING : Status.NOT_SERVING);
  return {
    check(request) {
      if (!knownServices.has(request.service)) {
        throw new ConnectError(`The service "${request.service.slice(0, 200)}" is unknown here.`, Code.NotFound);
      }
      return { status: statusNow() };
    },

    async *watch(request, context) {
      yield { status: knownServices.has(request.service) ? statusNow() : Status.SERVICE_UNKNOWN };
      await aborted(context);
    },
  };
}

/** A watcher stays until it leaves or the server shuts the stream. */
function aborted(context: HandlerContext): Promise<void> {
  return new Promise((resolve) => {
    if (context.signal.aborted) resolve();
    else context.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
