import { formatAuthority } from './authority.ts';
import { falHosts } from './fal-hosts.ts';

/** Host strings as a client would set them (`FAL_*_HOST`): authority plus optional path prefix, no scheme. */
export interface ClientHosts {
  grpcHost: string;
  restHost: string;
  runHost: string;
  queueHost: string;
  wsHost: string;
  /** Files of the file host; `FAL_CDN_V3_HOST` wants a scheme in front. */
  cdnHost: string;
  kvHost: string;
}

/** Path mode: every role behind one authority, told apart by prefix. */
export function pathHosts(authority: string): ClientHosts {
  return {
    grpcHost: authority,
    restHost: authority,
    runHost: `${authority}/run`,
    queueHost: `${authority}/queue`,
    wsHost: `${authority}/ws`,
    cdnHost: `${authority}/cdn`,
    kvHost: `${authority}/kv`,
  };
}

/** Domain mode: a name per role, the domain itself is RUN; `port` null where it is the scheme's own. */
export function domainHosts(domain: string, port: number | null): ClientHosts {
  const host = (label: string): string => formatAuthority(`${label}${domain}`, port);
  return {
    grpcHost: host('api.'),
    restHost: host('rest.'),
    runHost: host(''),
    queueHost: host('queue.'),
    wsHost: host('ws.'),
    cdnHost: host('cdn.'),
    kvHost: host('kv.'),
  };
}

/** Intercept mode: the hosted platform's own names; a caller of one of its two REST names goes on with that one. */
export function interceptHosts(askedFor?: string): ClientHosts {
  return {
    grpcHost: falHosts.grpc,
    restHost: askedFor === 'rest.fal.ai' ? askedFor : falHosts.rest,
    runHost: falHosts.run,
    queueHost: falHosts.queue,
    wsHost: falHosts.ws,
    cdnHost: falHosts.cdn,
    kvHost: falHosts.kv,
  };
}
