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
 * Deals with what is left of a request body after the answer was given, so that it reaches a caller who is still sending.
 * HTTP/1.1: the rest is read and thrown away, up to `limitBytes`, and the connection can be used again; beyond that it is
 * closed. HTTP/2: the stream is closed once the answer is out.
 */
export function discardBody(request: AnyRequest, response: AnyResponse, limitBytes: number): void {
  if (request.readableEnded || request.destroyed) return;
  request.on('error', ignore);
  if (isHttp2Response(response)) {
    const { stream } = response;
    if (stream.endAfterHeaders) return;
    const close = (): void => stream.close(constants.NGHTTP2_NO_ERROR);
    if (stream.writableFinished) close();
    else stream.once('finish', close);
    return;
  }
  let leftBytes = limitBytes;
  request.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) request.socket.destroy();
  });
  request.resume();
}

function ignore(): void {}
