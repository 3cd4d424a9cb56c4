import { Code, ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect';
import type { ApiLog } from '../api-log.ts';
import { toConnectError } from './rpc-errors.ts';

/** Turns what handlers throw into statuses, for single answers and for streams. The one place where that happens. */
export function createErrorInterceptor(log: ApiLog): Interceptor {
  const translate = (error: unknown, signal: AbortSignal): ConnectError =>
    // Whatever a handler throws after its caller left is a consequence of that.
    signal.aborted ? new ConnectError('The call was cancelled.', Code.Canceled) : toConnectError(error, log);
  return (next) => async (request) => {
    try {
      const response = await next(request);
      if (!response.stream) return response;
      return { ...response, message: translateStream(response.message, (error) => translate(error, request.signal)) };
    } catch (error) {
      throw translate(error, request.signal);
    }
  };
}

async function* translateStream(
  messages: StreamResponse['message'],
  translate: (error: unknown) => ConnectError,
): StreamResponse['message'] {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}
