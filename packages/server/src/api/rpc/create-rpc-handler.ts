import type { ServerResponse } from 'node:http';
import { Code, ConnectError, createConnectRouter, createContextValues } from '@connectrpc/connect';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import type { AnyResponse } from '../../ports/port-handlers.ts';
import type { AnyRequest, Route } from '../../ports/route.ts';
import type { ControllerDeps } from './controller-deps.ts';
import { createControllerRoutes } from './controller-routes.ts';
import { createRequestGate } from './request-gate.ts';
import { originKey } from './rpc-call.ts';

/** Largest message either way: what gRPC clients are built for. */
const largestMessageBytes = 2 ** 31 - 1;

/** Handles one HTTP request of the role `rpc`; never throws. */
export type RpcHandler = (request: AnyRequest, response: AnyResponse, route: Route) => void;

/** The controller over gRPC, gRPC-Web and Connect, on HTTP/1.1 and HTTP/2. */
export function createRpcHandler(deps: ControllerDeps): RpcHandler {
  const router = createConnectRouter({
    readMaxBytes: largestMessageBytes,
    writeMaxBytes: largestMessageBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    // Compressed requests are read, answers are not compressed: pickles are big and the network is near.
    compressMinBytes: largestMessageBytes,
    requestGate: createRequestGate(deps),
  });
  createControllerRoutes(deps)(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  const answer = async (request: AnyRequest, response: AnyResponse, route: Route): Promise<void> => {
    const path = route.path.split('?', 1)[0] ?? '';
    const handler = handlers.get(path);
    // The two kinds of response have the same methods; only their overloads do not unite.
    if (handler === undefined) return answerUnknownMethod(request, response as ServerResponse, path);
    const values = createContextValues().set(originKey, route.origin);
    const universalRequest = universalRequestFromNodeRequest(request, response, undefined, values);
    await universalResponseToNodeResponse(await handler(universalRequest), response);
  };

  return (request, response, route) => {
    answer(request, response, route).catch((error: unknown) => {
      // A write to a client that has left.
      if (ConnectError.from(error).code === Code.Aborted || response.destroyed) return;
      deps.log.error({ err: error }, 'rpc answer failed');
      response.destroy();
    });
  };
}

function answerUnknownMethod(request: AnyRequest, response: ServerResponse, path: string): void {
  const message = `The method ${path.slice(0, 200)} is unknown here.`;
  const contentType = request.headers['content-type'] ?? '';
  request.resume();
  if (contentType.startsWith('application/grpc')) {
    response.writeHead(200, {
      'content-type': contentType,
      'grpc-status': String(Code.Unimplemented),
      'grpc-message': encodeURIComponent(message.toWellFormed()),
    });
    response.end();
  } else {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: 'unimplemented', message }));
  }
}
