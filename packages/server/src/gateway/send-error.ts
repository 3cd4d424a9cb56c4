import type { OutgoingHttpHeaders } from 'node:http';
import type { LannerError } from '@lanner/protocol';
import { isHttp2Response, type AnyResponse } from './caller.ts';
import { addCorsHeaders } from './cors.ts';

/** One error as it goes to a caller (data-plane 2.4). */
export interface ErrorAnswer {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}

/**
 * The one shape of every error that the gateway makes: `{"detail", "error_type"?}` with `x-fal-request-id`, which also tells
 * clients that it was not an ingress in between. Browsers may read it.
 */
export function toErrorAnswer(error: LannerError, requestId: string): ErrorAnswer {
  const { httpStatus, errorType } = error.entry;
  const body = JSON.stringify(
    errorType === undefined ? { detail: error.message } : { detail: error.message, error_type: errorType },
  );
  const headers: OutgoingHttpHeaders = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-fal-request-id': requestId,
  };
  if (errorType !== undefined) headers['x-fal-error-type'] = errorType;
  // Clients take a 504 with this header as final and do not repeat the call.
  if (error.code === 'start_timeout') headers['x-fal-request-timeout-type'] = 'user';
  if (httpStatus === 401) headers['www-authenticate'] = 'Key';
  addCorsHeaders(headers);
  return { status: httpStatus, headers, body };
}

/** Answers with an error. Must not be called once the answer has begun. */
export function sendError(response: AnyResponse, error: LannerError, requestId: string): ErrorAnswer {
  const answer = toErrorAnswer(error, requestId);
  if (isHttp2Response(response)) response.writeHead(answer.status, answer.headers);
  else response.writeHead(answer.status, answer.headers);
  response.end(answer.body);
  return answer;
}
