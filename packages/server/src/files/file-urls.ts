import { clientHosts } from '../config/client-environment.ts';
import { domainHosts, pathHosts } from '../config/client-hosts.ts';
import type { FileHostConfig } from '../config/own-file-urls.ts';
import type { Origin } from '../ports/route.ts';
import { filePathPrefix } from './parse-cdn-path.ts';

/**
 * Base of the URLs of files, without a slash at the end.
 *
 * Whoever came by path or domain gets a URL of the same kind. Whoever came by the hosted platform's own names gets the platform's
 * own address: a file's URL outlives the call, and apps and browsers that read it are not led here by `lanner exec`. Pure.
 */
export function fileBaseUrl(origin: Origin, config: FileHostConfig, tlsPort: number): string {
  if (origin.mode !== 'intercept') return `${origin.scheme}://${origin.hosts.cdnHost}`;
  if (config.publicUrl === null) return `https://${clientHosts(config, tlsPort).cdnHost}`;
  const url = new URL(config.publicUrl);
  const port = url.port === '' ? null : Number(url.port);
  const hosts = config.domain === null ? pathHosts(url.host) : domainHosts(config.domain, port);
  return `${url.protocol}//${hosts.cdnHost}`;
}

/** The URL of a file; what clients append to it (`/multipart/…`, `/sign`) is understood too. */
export function toFileUrl(baseUrl: string, file: { objectId: string; fileName: string }): string {
  return `${baseUrl}${filePathPrefix}${file.objectId}/${encodeURIComponent(file.fileName)}`;
}

/** The id of an object in a URL of ours, whatever its host; null for any other text. */
export function parseFileUrl(text: string): string | null {
  const path = URL.canParse(text) ? new URL(text).pathname : null;
  const at = path?.indexOf(filePathPrefix) ?? -1;
  if (path === null || (at !== 0 && path.slice(0, at) !== '/cdn')) return null;
  return path.slice(at + filePathPrefix.length).split('/')[0] || null;
}
