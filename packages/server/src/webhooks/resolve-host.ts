import { lookup as systemLookup, Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createLimit } from '../lib/limit.ts';
import { isLocalName } from './webhook-url.ts';

export interface HostAddress {
  address: string;
  family: 4 | 6;
}

/** Addresses of a host name. @throws what the name service says. */
export type ResolveHost = (hostname: string) => Promise<HostAddress[]>;

const queryTimeoutMs = 2_000;
/** The system's own resolver occupies one of the four threads that files need too. */
const mostSystemLookups = 2;

/**
 * Resolves without the thread pool as far as possible: a name server that does not answer for one receiver must not hold up the
 * disk. In the order of most machines: the hosts file, then DNS, then whatever else the system knows (search domains, mDNS).
 */
export function createResolveHost(options: { hostsFile?: string } = {}): ResolveHost {
  const hostsFile = options.hostsFile ?? '/etc/hosts';
  const limitSystem = createLimit(mostSystemLookups);
  const askSystem = (hostname: string): Promise<HostAddress[]> =>
    limitSystem(async () => toAddresses((await systemLookup(hostname, { all: true })).map(({ address }) => address)));

  return async (hostname) => {
    if (isIP(hostname) !== 0) return toAddresses([hostname]);
    const known = await readHostsFile(hostsFile, hostname);
    if (known.length > 0) return toAddresses(known);
    if (isLocalName(hostname)) return toAddresses(['127.0.0.1', '::1']);
    const resolver = new Resolver({ timeout: queryTimeoutMs, tries: 2 });
    const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const found = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return found.length > 0 ? toAddresses(found) : askSystem(hostname);
  };
}

async function readHostsFile(path: string, hostname: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const wanted = hostname.toLowerCase();
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
    .filter(([address = '', ...names]) => isIP(address) !== 0 && names.some((name) => name.toLowerCase() === wanted))
    .map(([address]) => address!);
}

function toAddresses(addresses: string[]): HostAddress[] {
  return addresses.map((address) => ({ address, family: isIP(address) as 4 | 6 }));
}
