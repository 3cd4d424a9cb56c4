import { ConfigurationError } from '../errors/client-error.ts';
import type { Sockets } from './socket.ts';

/** The part of the global `WebSocket` that we need; types of browsers are not there in every program. */
interface GlobalSocket {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array | string): void;
  close(code?: number): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

/** `readyState` of a socket that is neither being opened nor closed. */
const open = 1;

type GlobalSocketConstructor = new (url: string) => GlobalSocket;

/** Sockets of the runtime itself: browsers, edge runtimes, Bun, Node from version 22 on. */
export function createGlobalSockets(): Sockets {
  return {
    hasHeaders: false,
    open(url, _headers, listener) {
      const { WebSocket } = globalThis as { WebSocket?: GlobalSocketConstructor };
      if (WebSocket === undefined) {
        throw new ConfigurationError('not_supported_here', 'This runtime has no WebSocket.', {
          advice: 'Use Node 22 or newer, or the client for Node.',
        });
      }
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      socket.addEventListener('open', () => listener.onOpen());
      socket.addEventListener('message', ({ data }) =>
        listener.onMessage(typeof data === 'string' ? data : new Uint8Array(data as ArrayBuffer)),
      );
      // A close follows every error, and says as much: nothing.
      socket.addEventListener('error', () => undefined);
      socket.addEventListener('close', ({ code, reason }) => listener.onClose(code, reason));
      return Promise.resolve({
        get isOpen() {
          return socket.readyState === open;
        },
        send: (data) => socket.send(data),
        close: () => socket.close(1000),
      });
    },
  };
}
