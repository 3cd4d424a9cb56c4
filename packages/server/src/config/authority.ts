/** Host name and port of an authority (`host`, `host:port`, `[v6]:port`). */
export interface Authority {
  /** Lower case, without brackets and without a trailing dot. */
  hostname: string;
  /** Null when the authority names none. */
  port: number | null;
}

/** Reads an authority; null when it is not one (empty, user info, path, port out of range). */
export function parseAuthority(text: string): Authority | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/?#@[\]\\]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const port = match[3] === undefined ? null : Number(match[3]);
  if (port !== null && (port < 1 || port > 65535)) return null;
  return { hostname: (match[1] ?? match[2]!).toLowerCase().replace(/\.$/, ''), port };
}

/** The reverse of {@link parseAuthority}; IPv6 addresses get their brackets back. */
export function formatAuthority(hostname: string, port: number | null): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return port === null ? host : `${host}:${port}`;
}

/** Whether an address or name means this machine itself. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return (
    name === 'localhost' ||
    name === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(name) ||
    /^::ffff:127(\.\d{1,3}){3}$/.test(name)
  );
}

/** Whether clients on this machine reach a port that listens on `host` by the name `localhost`. */
export function isDefaultLoopback(host: string): boolean {
  return ['localhost', '127.0.0.1', '::1', '0.0.0.0', '::'].includes(host);
}
