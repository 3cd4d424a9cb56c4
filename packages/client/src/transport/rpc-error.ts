import { Code, ConnectError } from '@connectrpc/connect';
import { ClientError, ConnectionError, ServerError, type ClientErrorCode } from '../errors/client-error.ts';
import { connectionFailure } from '../errors/connection-failure.ts';

const codes: Readonly<Record<number, ClientErrorCode>> = {
  [Code.Unauthenticated]: 'unauthenticated',
  [Code.PermissionDenied]: 'permission_denied',
  [Code.NotFound]: 'not_found',
  [Code.AlreadyExists]: 'already_exists',
  [Code.FailedPrecondition]: 'conflict',
  [Code.Aborted]: 'conflict',
  [Code.InvalidArgument]: 'rejected',
  [Code.OutOfRange]: 'rejected',
  [Code.ResourceExhausted]: 'too_many_requests',
  [Code.Unimplemented]: 'not_supported_by_server',
};

const advices: Partial<Record<ClientErrorCode, string>> = {
  unauthenticated: 'Check the key: it may be revoked, or belong to another platform than the host.',
  permission_denied: 'Use a key with more permissions.',
  not_supported_by_server:
    'The server is older than this client, or is no Lanner or fal server; update it or check the host.',
};

/** Whatever a gRPC call threw, as one of ours. The server's sentence is kept as it is. */
export function fromRpcError(error: unknown, target: string, signal?: AbortSignal): ClientError {
  if (error instanceof ClientError) return error;
  const failure = ConnectError.from(error);
  if (signal?.aborted && failure.code !== Code.DeadlineExceeded) {
    return new ConnectionError('cancelled', 'The call was cancelled.', { cause: signal.reason });
  }
  const requestId = failure.metadata.get('x-fal-request-id') ?? undefined;
  if (failure.code === Code.DeadlineExceeded) {
    return new ConnectionError('timed_out', `${target} did not answer in time.`, {
      cause: error,
      requestId,
      advice: 'Give a larger timeoutMs, or look whether the server is busy.',
    });
  }
  if (failure.code === Code.Canceled)
    return new ConnectionError('cancelled', 'The call was cancelled.', { cause: error, requestId });
  const code = codes[failure.code];
  if (code !== undefined)
    return new ServerError(code, failure.rawMessage, { cause: error, requestId, advice: advices[code] });
  const unreachable = connectionFailure(failure, target);
  if (unreachable) return unreachable;
  if (failure.code === Code.Unavailable) {
    return new ConnectionError('server_unavailable', `${target} is not available: ${failure.rawMessage}`, {
      cause: error,
      requestId,
      advice: 'Try again in a moment; when it stays, look at the log of the server.',
    });
  }
  return new ServerError('server_error', failure.rawMessage, { cause: error, requestId });
}

/** UNAVAILABLE, in words of ours: the only answer after which the reference repeats a call. */
export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof ConnectionError &&
    error.code !== 'cancelled' &&
    error.code !== 'timed_out' &&
    error.code !== 'certificate_not_trusted'
  );
}
