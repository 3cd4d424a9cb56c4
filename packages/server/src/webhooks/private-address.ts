import { BlockList, isIPv6 } from 'node:net';

/** IPv4 ranges that do not belong to the public Internet (IANA's special-purpose registry). */
const v4Ranges: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** The same for IPv6: unspecified, loopback and the old IPv4-compatible form, discard, Teredo, documentation, 6to4, local, multicast. */
const v6Ranges: [string, number][] = [
  ['::', 96],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['64:ff9b:1::', 48],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

/** Prefixes that carry an IPv4 address in their last 32 bits: mapped, and NAT64. */
const v4Carriers = ['::ffff:', '64:ff9b::'];

const blocked = new BlockList();
for (const [address, bits] of v4Ranges) {
  blocked.addSubnet(address, bits, 'ipv4');
  for (const carrier of v4Carriers) blocked.addSubnet(`${carrier}${address}`, 96 + bits, 'ipv6');
}
for (const [address, bits] of v6Ranges) blocked.addSubnet(address, bits, 'ipv6');

/**
 * Where this machine's runners listen (supervisor/src/runners/address-pool.ts). Whoever reaches one there has passed nobody who
 * asks for a key, so these are closed to every request that a caller can cause, whatever else is allowed.
 */
const runners = new BlockList();
runners.addRange('127.32.0.0', '127.223.255.255', 'ipv4');
for (const carrier of v4Carriers) {
  runners.addRange(`${carrier}127.32.0.0`, `${carrier}127.223.255.255`, 'ipv6');
}

/**
 * Whether nothing may be sent to an IP address on behalf of a caller: loopback, private, link-local and every other place that is not
 * the public Internet.
 * @param allowPrivate only the addresses of runners are closed.
 */
export function isForbiddenTarget(address: string, allowPrivate: boolean): boolean {
  const list = allowPrivate ? runners : blocked;
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
