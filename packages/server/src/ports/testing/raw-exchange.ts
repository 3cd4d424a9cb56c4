import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';

/** A connected TCP socket to a loopback port. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Speaks TLS over a connected socket, verifying the server as `serverName` against `ca`; rejects like a client would. */
export async function startTls(
  socket: Socket,
  serverName: string,
  ca: string,
  alpn: string[] = [],
): Promise<TLSSocket> {
  const secure = tlsConnect({ socket, servername: serverName, ca, ALPNProtocols: alpn });
  await once(secure, 'secureConnect');
  return secure;
}

/** Everything the other side sends until it closes. */
export async function readToEnd(socket: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  try {
    for await (const chunk of socket) text += String(chunk);
  } catch {
    // a reset after the answer is an end too
  }
  return text;
}

/** Reads up to and including `text` and returns that; what follows can still be read. Rejects when the other side closes before. */
export function readUntil(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const onData = (chunk: Buffer): void => {
      seen += chunk.toString('latin1');
      if (!seen.includes(text)) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      const end = seen.indexOf(text) + text.length;
      if (end < seen.length) socket.unshift(Buffer.from(seen.slice(end), 'latin1'));
      resolve(seen.slice(0, end));
    };
    const onClose = (): void => reject(new Error(`closed before "${text}" arrived; got: ${seen}`));
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.resume();
  });
}

/** Sends a request over a socket and returns status line, header and body of the one answer. */
export async function exchange(
  socket: Socket,
  request: string,
): Promise<{ status: number; body: string; text: string }> {
  socket.write(request);
  const text = await readToEnd(socket);
  const [head = '', body = ''] = text.split('\r\n\r\n', 2);
  return { status: Number(head.split(' ')[1]), body, text };
}
