import type { OutgoingHttpHeaders } from 'node:http';
import type { AnyRequest } from '../ports/route.ts';

/** Response headers of ours that browser code reads (data-plane 9, trap 6). */
const exposedHeaders = 'x-fal-request-id, x-fal-request-timeout-type, x-fal-error-type, x-fal-billable-units, etag';

const preflightMaxAgeSeconds = '86400';

/**
 * True for a browser's question whether it may send the real request. The gateway answers it itself: a preflight carries no
 * credential, so a private app could not be asked, and a sleeping app need not be woken for it.
 */
export function isPreflight(request: AnyRequest): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined
  );
}

/** Headers of the answer (204, no body) to a preflight: everything is allowed, since no cookie ever authenticates. */
export function toPreflightHeaders(request: AnyRequest): OutgoingHttpHeaders {
  const asked = request.headers['access-control-request-headers'];
  return {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    // `*` does not cover `authorization`, hence the echo.
    'access-control-allow-headers':
      typeof asked === 'string' && isHeaderList(asked) ? asked : 'authorization, content-type',
    'access-control-max-age': preflightMaxAgeSeconds,
    vary: 'origin, access-control-request-method, access-control-request-headers',
  };
}

const isHeaderList = (value: string): boolean => /^[\w!#$%&'*+.^`|~, -]*$/.test(value);

/**
 * Completes the headers of an answer for a browser. What the app says about CORS itself stays; only what it leaves out is
 * added, never twice.
 */
export function addCorsHeaders(headers: OutgoingHttpHeaders): void {
  headers['access-control-allow-origin'] ??= '*';
  const exposed = headers['access-control-expose-headers'];
  if (exposed === undefined) headers['access-control-expose-headers'] = exposedHeaders;
  else if (exposed !== '*') headers['access-control-expose-headers'] = `${String(exposed)}, ${exposedHeaders}`;
}
