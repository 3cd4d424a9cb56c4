import { isIP } from 'node:net';
import { LannerError } from '@lanner/protocol';
import { isForbiddenTarget } from './private-address.ts';

const longestUrl = 4096;

/** `host:port` of a webhook's URL. */
export function receiverOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

/**
 * The target that a caller names with `fal_webhook`, in its normal form: what an IP address hides behind (decimal, octal, mapped)
 * is spelled out by the parser. Names are looked at when they are resolved.
 *
 * @param allowPrivate whether targets inside the network are allowed.
 * @throws LannerError `bad_request`.
 */
export function readWebhookUrl(text: string, allowPrivate: boolean): string {
  const url = text.length <= longestUrl && URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || !isDecodable(`${url.username}${url.password}`)) {
    throw new LannerError(
      'bad_request',
      `fal_webhook must be an http or https URL of at most ${longestUrl} characters, encoded as a query parameter.`,
    );
  }
  const address = literalAddress(url.hostname);
  const isForbidden =
    address === null ? !allowPrivate && isLocalName(url.hostname) : isForbiddenTarget(address, allowPrivate);
  if (isForbidden) {
    throw new LannerError(
      'bad_request',
      `fal_webhook names ${url.hostname.slice(0, 100)}, which is inside the network of this server. ` +
        (allowPrivate
          ? 'Runners are called through the platform only.'
          : 'Its operator can allow that with --webhook-private-targets true.'),
    );
  }
  url.hash = '';
  return url.href;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** The address that a URL's host name is, without brackets; null for a name. */
export function literalAddress(hostname: string): string | null {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? null : bare;
}

/** Names that always mean the machine itself (RFC 6761). */
export function isLocalName(hostname: string): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname);
}
