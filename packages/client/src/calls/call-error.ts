import { AppError, ServerError, type ClientErrorCode } from '../errors/client-error.ts';

const timeouts = new Set(['request_timeout', 'startup_timeout']);

/** The error of an answer of the data plane. What the platform says and what the app says are told apart by header. */
export function callError(response: Response, body: unknown): ServerError | AppError {
  const errorType = response.headers.get('x-fal-error-type') ?? undefined;
  const options = {
    status: response.status,
    requestId: response.headers.get('x-fal-request-id') ?? undefined,
    details: { body, ...(errorType === undefined ? {} : { errorType }) },
  };
  const message = messageOf(body) ?? `The app answered ${response.status}.`;
  const code = platformCode(response, errorType);
  return code === undefined ? new AppError(message, body, options) : new ServerError(code, message, options);
}

function platformCode(response: Response, errorType: string | undefined): ClientErrorCode | undefined {
  const { status } = response;
  if (response.headers.get('x-fal-request-timeout-type') === 'user' || (errorType && timeouts.has(errorType)))
    return 'timed_out';
  if (errorType === 'client_cancelled' || errorType === 'client_disconnected') return 'cancelled';
  if (errorType !== undefined)
    return status === 503 ? 'server_unavailable' : status >= 500 ? 'server_error' : 'rejected';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'permission_denied';
  if (status === 429) return 'too_many_requests';
  return undefined;
}

function messageOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body || undefined;
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (typeof detail === 'string') return detail;
  if (!Array.isArray(detail)) return undefined;
  // FastAPI's validation errors: one line each.
  return (detail as { loc?: unknown[]; msg?: unknown }[])
    .map(({ loc, msg }) => `${Array.isArray(loc) ? loc.join('.') : 'input'}: ${String(msg)}`)
    .join('; ');
}
