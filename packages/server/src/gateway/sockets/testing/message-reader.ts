import type { WebSocket } from 'ws';

export interface Answer {
  start: Record<string, unknown>;
  body: Buffer;
  /** Bytes of the largest message of the body. */
  largest: number;
  end: Record<string, unknown>;
}

/** Reads what an HTTP-over-WebSocket connection answers, the way the official client does. */
export interface MessageReader {
  socket: WebSocket;
  /** The next message. Rejects when the connection ends first. */
  next(): Promise<Buffer | string>;
  answer(): Promise<Answer>;
  /** Text messages seen so far, those not asked for included. */
  texts(): Record<string, unknown>[];
}

export function createMessageReader(socket: WebSocket): MessageReader {
  const messages: (Buffer | string)[] = [];
  const texts: Record<string, unknown>[] = [];
  let wake = (): void => {};
  let isClosed = false;
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    messages.push(isBinary ? (data as Buffer) : (data as Buffer).toString());
    if (!isBinary) texts.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>);
    wake();
  });
  socket.on('close', () => {
    isClosed = true;
    wake();
  });
  const next: MessageReader['next'] = async () => {
    for (;;) {
      const message = messages.shift();
      if (message !== undefined) return message;
      if (isClosed) throw new Error('the connection ended');
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    socket,
    next,
    texts: () => texts,
    async answer() {
      const start = JSON.parse(String(await next())) as Record<string, unknown>;
      const pieces: Buffer[] = [];
      for (;;) {
        const message = await next();
        if (typeof message === 'string') {
          const largest = pieces.reduce((most, { length }) => Math.max(most, length), 0);
          return { start, body: Buffer.concat(pieces), largest, end: JSON.parse(message) as Record<string, unknown> };
        }
        pieces.push(message);
      }
    },
  };
}
