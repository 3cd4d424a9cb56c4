import { formatAuthority } from './authority.ts';
import { domainHosts, pathHosts } from './client-hosts.ts';

/** What decides by which names a platform's files are found. */
export interface FileHostConfig {
  /** Address the ports listen on. */
  host: string;
  domain: string | null;
  publicUrl: string | null;
}

/**
 * What the URLs of this platform's own files begin with, one entry for each name and port that leads here. Code that refuses
 * addresses which are not public may let exactly these through. Pure.
 *
 * @param machineAddresses of all network interfaces; they count where the ports listen on every address.
 */
export function ownFileUrls(
  config: FileHostConfig,
  ports: { tlsPort: number; httpPort: number },
  machineAddresses: readonly string[],
): string[] {
  const found = new Set<string>();
  const add = (scheme: string, cdnHost: string): void => void found.add(`${scheme}://${cdnHost}/files/`);
  const { domain, publicUrl } = config;
  for (const [scheme, port, usual] of [
    ['https', ports.tlsPort, 443],
    ['http', ports.httpPort, 80],
  ] as const) {
    const written = port === usual ? null : port;
    for (const name of namesOf(config.host, machineAddresses)) {
      add(scheme, pathHosts(formatAuthority(name, written)).cdnHost);
    }
    if (domain !== null) add(scheme, domainHosts(domain, written).cdnHost);
  }
  if (publicUrl !== null) {
    const url = new URL(publicUrl);
    const port = url.port === '' ? null : Number(url.port);
    const hosts = domain === null ? pathHosts(url.host) : domainHosts(domain, port);
    add(url.protocol.slice(0, -1), hosts.cdnHost);
  }
  return [...found];
}

function namesOf(host: string, machineAddresses: readonly string[]): string[] {
  const isIpv6 = (address: string): boolean => address.includes(':');
  switch (host) {
    case '127.0.0.1':
    case '::1':
      return ['localhost', host];
    case 'localhost':
      return ['localhost', '127.0.0.1', '::1'];
    case '0.0.0.0':
      return ['localhost', '127.0.0.1', ...machineAddresses.filter((address) => !isIpv6(address))];
    case '::':
      return ['localhost', '127.0.0.1', '::1', ...machineAddresses];
    default:
      return [host];
  }
}
