import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import type { ControllerDeps } from './controller-deps.ts';
import { principalKey } from './rpc-call.ts';

/** Writes one line for each call of the controller, when it has ended. Stands outside of {@link createErrorInterceptor}. */
export function createLogInterceptor(deps: Pick<ControllerDeps, 'clock' | 'log'>): Interceptor {
  return (next) => async (request) => {
    const startMs = deps.clock.monotonicMs();
    const finish = (code: string): void => {
      const principal = request.contextValues.get(principalKey);
      deps.log.info(
        {
          rpc: request.method.name,
          code,
          accountId: principal?.accountId,
          keyId: principal?.keyId,
          totalMs: Math.round(deps.clock.monotonicMs() - startMs),
        },
        'rpc finished',
      );
    };
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: watched(response.message, finish) };
      finish('ok');
      return response;
    } catch (error) {
      finish(codeName(error));
      throw error;
    }
  };
}

async function* watched<Message>(
  messages: AsyncIterable<Message>,
  finish: (code: string) => void,
): AsyncGenerator<Message> {
  // What stays when the reader leaves before the end.
  let code = 'canceled';
  try {
    yield* messages;
    code = 'ok';
  } catch (error) {
    code = codeName(error);
    throw error;
  } finally {
    finish(code);
  }
}

function codeName(error: unknown): string {
  const name = Code[ConnectError.from(error).code] ?? 'Unknown';
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
}
