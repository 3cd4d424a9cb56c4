import { formatAuthority, parseAuthority, type Authority } from '../config/authority.ts';
import { domainHosts, interceptHosts, pathHosts, type ClientHosts } from '../config/client-hosts.ts';
import { isFalHost } from '../config/fal-hosts.ts';
import type { Origin, Role, Route } from './route.ts';

/** The part of the configuration that addresses depend on. */
export interface AddressConfig {
  domain: string | null;
  publicUrl: string | null;
}

/** What a request says about where it wants to go. */
export interface RequestTarget {
  /** `Host` header or `:authority`; undefined where HTTP/1.0 sent none. */
  authority: string | undefined;
  /** Request target as sent: path with query, or a whole URL as proxies get it. */
  target: string;
  contentType: string | undefined;
  scheme: 'https' | 'http';
  /** Port the connection came in on; used where the client named no host. */
  localPort: number;
}

/** A route, or why there is none. */
export type Routing = Route | { refused: 'bad_request' | 'not_found'; message: string };

/** Services of the controller and the health protocol: these paths are RPC whatever their content type (Connect speaks JSON). */
const rpcPath = /^\/(?:controller\.IsolateController|grpc\.health\.v1\.Health|lanner\.[\w.]+)\//;

const pathPrefixes: ReadonlyMap<string, Role> = new Map([
  ['run', 'run'],
  ['queue', 'queue'],
  ['ws', 'ws'],
  ['cdn', 'cdn'],
  ['kv', 'kv'],
]);

/** Roles by the first label in front of the domain; the domain itself is `run`. `api` is shared by RPC and REST. */
const domainLabels: ReadonlyMap<string, Role | 'api'> = new Map<string, Role | 'api'>([
  ['api', 'api'],
  ['rest', 'rest'],
  ['queue', 'queue'],
  ['ws', 'ws'],
  ['kv', 'kv'],
  ['cdn', 'cdn'],
]);

/** Roles of the hosted platform's host names (data-plane 1.1); every `*.fal.media` not named here holds files. */
const falRoles: ReadonlyMap<string, Role | 'api'> = new Map<string, Role | 'api'>([
  ['fal.run', 'run'],
  ['falrun.com', 'run'],
  ['queue.fal.run', 'queue'],
  ['queue.falrun.com', 'queue'],
  ['ws.fal.run', 'ws'],
  ['ws.falrun.com', 'ws'],
  ['rest.fal.ai', 'rest'],
  ['rest.alpha.fal.ai', 'rest'],
  ['api.alpha.fal.ai', 'api'],
  ['api.fal.ai', 'api'],
  ['kv.fal.media', 'kv'],
  ['fal.media', 'cdn'],
]);

/**
 * Decides what part of the platform a request is for, by host name first (fal's own names: intercept mode; names of the
 * domain: domain mode; all others: path mode), then by path prefix and content type. Pure.
 */
export function routeRequest(request: RequestTarget, config: AddressConfig): Routing {
  const target = splitTarget(request);
  if ('refused' in target) return target;
  const { authority, path } = target;
  const isRpc = rpcPath.test(path) || request.contentType?.toLowerCase().startsWith('application/grpc') === true;
  const origin = (mode: Origin['mode'], hosts: ClientHosts, scheme = request.scheme): Origin => ({
    mode,
    scheme,
    hosts,
  });

  if (isFalHost(authority.hostname)) {
    const role = falRole(authority.hostname);
    if (role === null) return unknownHost(authority.hostname);
    return { role: resolve(role, isRpc), path, origin: origin('intercept', interceptHosts(authority.hostname)) };
  }

  const published = publishedOrigin(authority, request.scheme, config);
  const { domain } = config;
  if (domain !== null && (authority.hostname === domain || authority.hostname.endsWith(`.${domain}`))) {
    const label = authority.hostname.slice(0, -domain.length - 1);
    const role = label === '' ? 'run' : domainLabels.get(label);
    if (role === undefined) return unknownHost(authority.hostname);
    return {
      role: resolve(role, isRpc),
      path,
      origin: origin('domain', domainHosts(domain, published.port), published.scheme),
    };
  }

  const hosts = pathHosts(formatAuthority(authority.hostname, published.port));
  const prefix = /^\/([a-z]+)(?=[/?]|$)/.exec(path)?.[1];
  const role = prefix === undefined ? undefined : pathPrefixes.get(prefix);
  if (role === undefined) {
    return { role: isRpc ? 'rpc' : 'rest', path, origin: origin('path', hosts, published.scheme) };
  }
  const rest = path.slice(prefix!.length + 1);
  return { role, path: rest.startsWith('/') ? rest : `/${rest}`, origin: origin('path', hosts, published.scheme) };
}

function splitTarget(
  request: RequestTarget,
): { authority: Authority; path: string } | Extract<Routing, { refused: string }> {
  let { authority: host, target: path } = request;
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(path);
  if (absolute !== null) {
    // The whole-URL form outranks the Host header (RFC 9112 3.2.2).
    host = absolute[1]!;
    path = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`;
  } else if (path === '*') {
    path = '/';
  }
  if (!path.startsWith('/')) return { refused: 'bad_request', message: 'The request target must begin with "/".' };
  const authority = parseAuthority(host ?? `localhost:${request.localPort}`);
  if (authority === null) return { refused: 'bad_request', message: 'The Host header does not name a host.' };
  return { authority, path };
}

/**
 * Scheme and port as the caller sees them. Behind a load balancer that ends TLS they differ from what arrives here; the
 * configured public URL tells, headers of the request are not believed.
 */
function publishedOrigin(
  authority: Authority,
  scheme: 'https' | 'http',
  config: AddressConfig,
): { scheme: 'https' | 'http'; port: number | null } {
  const { hostname, port } = authority;
  if (config.publicUrl === null) return { scheme, port };
  const url = new URL(config.publicUrl);
  const publicName = url.hostname.replace(/^\[|\]$/g, '');
  const publicPort = url.port === '' ? null : Number(url.port);
  const isPublicName = hostname === publicName || (publicName === config.domain && hostname.endsWith(`.${publicName}`));
  // A balancer passes the name on, with its own port or none; another port means the caller came here directly.
  if (!isPublicName || (port !== null && port !== publicPort)) return { scheme, port };
  return { scheme: url.protocol === 'https:' ? 'https' : 'http', port: publicPort };
}

function falRole(hostname: string): Role | 'api' | null {
  return falRoles.get(hostname) ?? (hostname.endsWith('.fal.media') ? 'cdn' : null);
}

const resolve = (role: Role | 'api', isRpc: boolean): Role => (role === 'api' ? (isRpc ? 'rpc' : 'rest') : role);

function unknownHost(hostname: string): Routing {
  return { refused: 'not_found', message: `Lanner has nothing at the host name "${hostname}".` };
}
