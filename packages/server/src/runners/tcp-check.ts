import { connect } from 'node:net';

/** A runner that does not accept within this time is taken for dead. */
const connectTimeoutMs = 2_000;

/** True when something accepts connections there: the health check behind 500, 502 and 504 (platform-semantics 5.4). */
export function checkTcpPort(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectTimeoutMs });
    const settle = (isAlive: boolean): void => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}
