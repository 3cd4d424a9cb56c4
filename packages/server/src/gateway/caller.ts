import type { ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AnyRequest } from '../ports/route.ts';

/** Answers to callers: HTTP/1.1, or HTTP/2 through Node's compatibility layer. */
export type AnyResponse = ServerResponse | Http2ServerResponse;

/** True for a caller that speaks HTTP/2. */
export function isHttp2Response(response: AnyResponse): response is Http2ServerResponse {
  return 'stream' in response;
}

/** True for a request that came over HTTP/2. */
export function isHttp2Request(request: AnyRequest): request is Http2ServerRequest {
  return 'stream' in request;
}

/**
 * Breaks off an answer that has begun, so that the caller cannot take it for complete: the stream is reset (HTTP/2) or the
 * connection closed (HTTP/1.1).
 */
export function breakAnswer(response: AnyResponse): void {
  if (isHttp2Response(response)) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}

/**
 * Reads on and throws away what is left of a request body, so that the answer reaches a caller who is still sending and the
 * connection can be used again. After `limitBytes` the connection (HTTP/2: the stream) is closed.
 */
export function discardBody(request: AnyRequest, limitBytes: number): void {
  if (request.readableEnded || request.destroyed) return;
  let leftBytes = limitBytes;
  request.on('error', ignore);
  request.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes >= 0) return;
    if (isHttp2Request(request)) request.stream.close(constants.NGHTTP2_NO_ERROR);
    else request.socket.destroy();
  });
  request.resume();
}

function ignore(): void {}
