import type { IncomingMessage } from 'node:http';
import type { ClientError } from '../errors/client-error.ts';
import type { Environment } from '../resolve/environment.ts';
import { answerError } from '../transport/http-client.ts';
import { readTrust } from '../transport/trust.ts';
import type { Sockets } from './socket.ts';

/** How much of a refusal's body is read. */
const longestRefusal = 64 * 1024;

/**
 * Sockets over `ws`, for Node of every version: the key goes into a header, private authorities can be trusted, and a refused
 * handshake says why. The module is loaded with the first one.
 */
export function createNodeSockets(environment: Environment): Sockets {
  return {
    hasHeaders: true,
    async open(url, headers, listener) {
      const { WebSocket } = await import('ws');
      const { ca, rejectUnauthorized } = readTrust(environment, 'http');
      const socket = new WebSocket(url, {
        headers,
        rejectUnauthorized,
        perMessageDeflate: false,
        maxPayload: 0,
        ...(ca === undefined ? {} : { ca }),
      });
      let failure: unknown;
      socket.on('open', () => listener.onOpen());
      socket.on('message', (data, isBinary) =>
        listener.onMessage(isBinary ? new Uint8Array(data as Buffer) : (data as Buffer).toString()),
      );
      socket.on('error', (error) => (failure ??= error));
      socket.on('unexpected-response', (_request, response) => {
        void readRefusal(response).then((error) => {
          failure = error;
          socket.terminate();
        });
      });
      socket.on('close', (code, reason) => listener.onClose(code, reason.toString(), failure));
      return {
        get isOpen() {
          return socket.readyState === WebSocket.OPEN;
        },
        send: (data) => socket.send(data),
        close: () => socket.close(1000),
      };
    },
  };
}

async function readRefusal(response: IncomingMessage): Promise<ClientError> {
  let text = '';
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > longestRefusal) break;
    }
  } catch {
    // The status alone says enough.
  }
  const headers = new Headers();
  const requestId = response.headers['x-fal-request-id'];
  if (typeof requestId === 'string') headers.set('x-fal-request-id', requestId);
  return answerError(new Response(null, { status: Math.max(200, response.statusCode ?? 500), headers }), text);
}
