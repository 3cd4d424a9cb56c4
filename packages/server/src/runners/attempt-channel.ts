import { connect, type Socket } from 'node:net';
import {
  attemptChannel,
  errorCatalogue,
  LannerError,
  type AttemptMessage,
  type AttemptOrder,
  type AttemptReply,
} from '@lanner/protocol';

const maxHeadBytes = 16 * 1024;
/** Unread answers; a chunk of the socket holds many. */
const maxReplyBytes = 1024 * 1024;

interface Waiting {
  resolve: () => void;
  reject: (error: LannerError) => void;
}

/**
 * The connection for small attempts: their orders, and what is to be forgotten. A call over HTTP for each would cost both
 * processes more than the attempt. Opened by the first order, and again by the next one after it broke.
 */
export class AttemptChannel {
  readonly #socketPath: string;
  #socket: Socket | null = null;
  /** Orders that were not answered, by attempt. */
  readonly #waiting = new Map<string, Waiting>();
  #isClosed = false;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Resolves once the request is on its way. Throws `supervisor_unavailable` (it may be, too), or what the supervisor answered. */
  start(runnerId: string, order: AttemptOrder, body: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const earlier = this.#waiting.get(order.attemptId);
      this.#waiting.set(order.attemptId, { resolve, reject });
      earlier?.reject(unavailable());
      const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
      this.#send({ type: 'start', runnerId, order, body: bytes.toString('base64') });
    });
  }

  /** Not answered. What is lost with the connection is forgotten when the next server starts. */
  forget(attemptId: string): void {
    this.#send({ type: 'forget', attemptId });
  }

  /** Cuts the connection. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
    this.#onClosed(this.#socket);
  }

  #send(message: AttemptMessage): void {
    if (this.#isClosed) return this.#onClosed(this.#socket);
    const socket = (this.#socket ??= this.#open());
    // What belongs to one turn travels together.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    socket.write(`${JSON.stringify(message)}\n`);
  }

  #open(): Socket {
    const socket = connect(this.#socketPath);
    const { path, protocol } = attemptChannel;
    socket.write(`GET ${path} HTTP/1.1\r\nhost: supervisor\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`);
    let hasBegun = false;
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      rest += text;
      // Whatever speaks there is no supervisor.
      if (rest.length > maxReplyBytes) return void socket.destroy();
      if (!hasBegun) {
        const end = rest.indexOf('\r\n\r\n');
        if (end === -1 ? rest.length > maxHeadBytes : !rest.startsWith('HTTP/1.1 101 ')) return void socket.destroy();
        if (end === -1) return;
        hasBegun = true;
        rest = rest.slice(end + 4);
      }
      let from = 0;
      for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', from)) {
        const reply = parseReply(rest.slice(from, end));
        if (reply === null) return void socket.destroy();
        this.#onReply(reply);
        from = end + 1;
      }
      rest = rest.slice(from);
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.#onClosed(socket));
    return socket;
  }

  #onReply({ attemptId, code, message }: AttemptReply): void {
    const waiting = this.#waiting.get(attemptId);
    if (waiting === undefined) return;
    this.#waiting.delete(attemptId);
    if (code === undefined) waiting.resolve();
    else waiting.reject(new LannerError(Object.hasOwn(errorCatalogue, code) ? code : 'internal_error', message ?? ''));
  }

  #onClosed(socket: Socket | null): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(unavailable());
  }
}

function parseReply(line: string): AttemptReply | null {
  try {
    const value = JSON.parse(line) as AttemptReply | null;
    return typeof value?.attemptId === 'string' ? value : null;
  } catch {
    return null;
  }
}

function unavailable(): LannerError {
  return new LannerError('supervisor_unavailable', 'The supervisor of this machine cannot be reached.');
}
