/** The registrable names of the hosted platform; everything below them belongs to it too. */
export const falDomains: readonly string[] = ['fal.run', 'fal.ai', 'fal.media', 'falrun.com'];

/** DNS names of the certificate that answers for the hosted platform's own host names. */
export const falCertificateNames: readonly string[] = [
  ...falDomains.flatMap((domain) => [domain, `*.${domain}`]),
  '*.alpha.fal.ai',
];

/** Hosts that official clients use when no variable says otherwise (data-plane 1.1). */
export const falHosts = {
  grpc: 'api.alpha.fal.ai',
  rest: 'rest.alpha.fal.ai',
  run: 'fal.run',
  queue: 'queue.fal.run',
  ws: 'ws.fal.run',
  cdn: 'v3.fal.media',
  kv: 'kv.fal.media',
} as const;

/** Whether a host name (no port, any case) belongs to the hosted platform. Dots are respected: `xfal.run` does not. */
export function isFalHost(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  return falDomains.some((domain) => name === domain || name.endsWith(`.${domain}`));
}
