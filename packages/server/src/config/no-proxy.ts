import { falDomains } from './fal-hosts.ts';
import { splitNoProxy } from './upstream-proxy.ts';

/** Names of this machine that must never go through a proxy. */
const loopbackNames = ['localhost', '127.0.0.1', '::1'];

/** A `no_proxy` list that keeps what the caller had and adds loopback and `hosts`. */
export function mergeNoProxy(existing: string, hosts: readonly string[]): string {
  return [...new Set([...splitNoProxy(existing), ...loopbackNames, ...hosts])].join(',');
}

/**
 * The same without every entry that some client could read as "reach fal's hosts directly": that would lead a call past
 * Lanner to the hosted platform. Clients differ in how they match (with or without the dot, ports, wildcards), so an entry
 * goes if any reading matches. Such hosts are still reached as the caller wanted: the CONNECT proxy gets the full list.
 */
export function interceptNoProxy(existing: string, hosts: readonly string[]): string {
  const kept = splitNoProxy(existing).filter((entry) => !couldMatchFal(entry));
  return mergeNoProxy(kept.join(','), hosts);
}

function couldMatchFal(entry: string): boolean {
  const name = entry
    .toLowerCase()
    .replace(/^[a-z+]+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/^\*?\.?/, '')
    .replace(/\.$/, '');
  // What is left empty was a wildcard; a star inside is one for some clients.
  if (name === '' || name.includes('*')) return true;
  return falDomains.some((domain) => domain.endsWith(name) || name.endsWith(`.${domain}`));
}
