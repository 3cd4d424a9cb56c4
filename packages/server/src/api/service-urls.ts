import type { Origin } from '../ports/route.ts';

/** The addresses of one app as its caller can reach them; no URL ends in a slash, because clients append endpoint paths. */
export interface ServiceUrlSet {
  playground: string;
  run: string;
  queue: string;
  ws: string;
  log: string;
}

/**
 * Builds the addresses of `owner/name` for a client that reached us by `origin`. Nothing here is stored: the same app has
 * other URLs for a client that came another way.
 *
 * The form of `playground` (`/models/owner/name`) is the one that the official CLI turns into dashboard links.
 */
export function serviceUrls(origin: Origin, ownerNickname: string, publicName: string): ServiceUrlSet {
  const { scheme, hosts } = origin;
  const id = `${encodeURIComponent(ownerNickname)}/${encodeURIComponent(publicName)}`;
  return {
    playground: `${scheme}://${hosts.grpcHost}/models/${id}`,
    run: `${scheme}://${hosts.runHost}/${id}`,
    queue: `${scheme}://${hosts.queueHost}/${id}`,
    ws: `${scheme === 'https' ? 'wss' : 'ws'}://${hosts.wsHost}/${id}`,
    log: `${scheme}://${hosts.grpcHost}/dashboard/apps/${id}/logs`,
  };
}
