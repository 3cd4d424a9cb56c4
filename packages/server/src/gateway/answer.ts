import type { OutgoingHttpHeaders } from 'node:http';
import { isHttp2Response, type AnyResponse } from './caller.ts';
import { addCorsHeaders } from './cors.ts';

/** Begins an answer that browsers may read. */
export function writeHead(response: AnyResponse, status: number, headers: OutgoingHttpHeaders): void {
  addCorsHeaders(headers);
  if (isHttp2Response(response)) response.writeHead(status, headers);
  else response.writeHead(status, headers);
}

/** A JSON answer; every one carries the request id. */
export function sendJson(response: AnyResponse, status: number, requestId: string, body: unknown): void {
  const text = JSON.stringify(body);
  writeHead(response, status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-fal-request-id': requestId,
  });
  response.end(text);
}
