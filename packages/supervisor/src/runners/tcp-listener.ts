import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';

const listenState = '0A';

/**
 * True when something listens on exactly this address. The kernel's table tells it apart from another runner's
 * wildcard socket, which would answer a connection to this address as well; where there is no table, a connection decides.
 * @param address IPv4.
 */
export async function isListening(address: string, port: number, connectTimeoutMs: number): Promise<boolean> {
  const table = await readFile('/proc/net/tcp', 'latin1').catch(() => undefined);
  if (table === undefined) return canConnect(address, port, connectTimeoutMs);
  return table.includes(`: ${toTableAddress(address, port)} 00000000:0000 ${listenState} `);
}

/** True when a TCP connection is accepted within the time. */
export function canConnect(address: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: timeoutMs });
    const finish = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', finish(true));
    socket.once('timeout', finish(false));
    socket.once('error', finish(false));
  });
}

/** `127.0.0.1:8080` as /proc/net/tcp writes it on little-endian machines: `0100007F:1F90`. */
function toTableAddress(address: string, port: number): string {
  const octets = address.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'));
  return `${octets.reverse().join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}
