/** The proxy through which a machine reaches the rest of the network, as `https_proxy` and `no_proxy` tell it. */
export interface UpstreamProxy {
  /** `http://[user:password@]host:port` or `https://…`. */
  url: string;
  /** Comma-separated names that are reached without it; may be empty. */
  noProxy: string;
}

/** Environment variables as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The upstream proxy an environment asks for, or null. Lower case wins over upper case, `https_proxy` over `all_proxy`.
 * Only HTTP proxies can carry a CONNECT; others (socks) are ignored and named in `unsupported`.
 */
export function readUpstreamProxy(environment: Environment): {
  proxy: UpstreamProxy | null;
  unsupported: string | null;
} {
  const raw = first(environment, ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']);
  if (raw === null) return { proxy: null, unsupported: null };
  const url = parseProxyUrl(raw);
  if (url === null) return { proxy: null, unsupported: raw.replace(/\/\/[^/@]*@/, '//') };
  return {
    proxy: { url: url.href, noProxy: first(environment, ['no_proxy', 'NO_PROXY']) ?? '' },
    unsupported: null,
  };
}

/** A proxy URL with `http://` added where it is left out, as curl and Python read it; null when it is not HTTP. */
export function parseProxyUrl(text: string): URL | null {
  try {
    const url = new URL(text.includes('://') ? text : `http://${text}`);
    return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '' ? url : null;
  } catch {
    return null;
  }
}

/**
 * Whether `hostname` is to be reached without a proxy. Entries: `*`, a name (with or without leading dot or `*.`, it
 * and everything below), an address; a port in the entry must match.
 */
export function isExemptFromProxy(hostname: string, port: number, noProxy: string): boolean {
  const name = hostname.toLowerCase();
  return splitNoProxy(noProxy).some((entry) => {
    if (entry === '*') return true;
    const match = /^(.*?)(?::(\d+))?$/.exec(entry);
    const isAddress6 = entry.split(':').length > 2;
    if (!isAddress6 && match?.[2] !== undefined && Number(match[2]) !== port) return false;
    const bare = (isAddress6 ? entry.replace(/[[\]]/g, '') : match![1]!).replace(/^\*?\./, '').toLowerCase();
    return bare !== '' && (name === bare || name.endsWith(`.${bare}`));
  });
}

/** The entries of a `no_proxy` list. */
export function splitNoProxy(noProxy: string): string[] {
  return noProxy
    .split(/[,\s]+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function first(environment: Environment, names: string[]): string | null {
  for (const name of names) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== '') return value;
  }
  return null;
}
