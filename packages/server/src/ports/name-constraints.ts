/** Object identifier of the name constraints extension (RFC 5280 4.2.1.10). */
export const nameConstraintsOid = '2.5.29.30';

/**
 * The extension's value: certificates below may hold only these DNS names and names below them. Other kinds of names
 * stay unconstrained on purpose: gRPC's TLS library refuses chains with constraints on IP addresses (ADR name-constraints).
 *
 * Written out here, without the X.509 library, because the start-up path compares it with the certificate on disk and
 * loading the library costs 70 ms.
 */
export function encodeNameConstraints(dnsNames: readonly string[]): Buffer {
  const subtrees = dnsNames.map((name) => tagged(0x30, tagged(0x82, Buffer.from(name, 'ascii'))));
  return tagged(0x30, tagged(0xa0, Buffer.concat(subtrees)));
}

/** One DER element. */
function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...derLength(content.length)]), content]);
}

function derLength(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return [0x82, length >> 8, length & 0xff];
}
