/** A company's tunnelling proxy for tests: remembers every byte's destination and leads all of it to one place. */
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface RecordingProxy {
  /** `http://user:password@127.0.0.1:port`. */
  readonly url: string;
  /** Every destination asked for, as the proxy saw it: `host:port`, or a whole URL. */
  readonly seen: string[];
  stop(): Promise<void>;
}

/** All tunnels end at `destination` on 127.0.0.1, whatever name was asked for, so no test needs a network. */
export async function startRecordingProxy(destination: { port: number }): Promise<RecordingProxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.writeHead(418).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, socket, head) => {
    seen.push(request.url ?? '');
    const expected = `Basic ${Buffer.from('me:pass').toString('base64')}`;
    if (request.headers['proxy-authorization'] !== expected) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n');
      return;
    }
    const remote = connect(destination.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      remote.write(head);
      socket.pipe(remote).pipe(socket);
    });
    remote.on('error', () => socket.destroy());
    socket.on('error', () => remote.destroy());
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  return {
    url: `http://me:pass@127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async stop() {
      const closed = new Promise((settle) => server.close(settle));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
