import { formatAuthority, isDefaultLoopback } from './authority.ts';
import { domainHosts, interceptHosts, pathHosts, type ClientHosts } from './client-hosts.ts';
import { interceptNoProxy, mergeNoProxy } from './no-proxy.ts';
import { encodeProxyUser } from './proxy-credentials.ts';
import { readUpstreamProxy, type Environment } from './upstream-proxy.ts';

/** What a client on this machine needs to know about a running platform. */
export interface ClientAccess {
  tlsPort: number;
  httpPort: number;
  /** Address the ports listen on. */
  host: string;
  domain: string | null;
  /** `<id>:<secret>`. */
  key: string;
  /** PEM file with our authority and everything else to be trusted. */
  bundlePath: string;
}

/** Environment variables to set, in the order in which they are shown. */
export type Variables = Record<string, string>;

/**
 * What `lanner env` prints: the variables by which official clients find this platform. Pure.
 * `domain` must not be null in domain mode.
 */
export function clientEnvironment(access: ClientAccess, mode: 'path' | 'domain', environment: Environment): Variables {
  const { domain } = access;
  if (mode === 'domain' && domain === null) throw new Error('domain mode without a domain');
  const hosts = clientHosts({ host: access.host, domain: mode === 'domain' ? domain : null }, access.tlsPort);
  const ownNames = mode === 'domain' ? [domain!, `.${domain}`] : exemptHosts(access.host);
  const noProxy = mergeNoProxy(environment.no_proxy ?? environment.NO_PROXY ?? '', ownNames);
  return {
    // FAL_HOST is what older clients read; FAL_GRPC_HOST wins where both are known, so a stale one cannot lead away.
    ...(mode === 'domain' ? { FAL_HOST: hosts.grpcHost } : {}),
    ...hostVariables(hosts),
    FAL_KEY: access.key,
    ...trustVariables(access.bundlePath),
    no_proxy: noProxy,
    NO_PROXY: noProxy,
  };
}

/** Hosts by which clients on this machine reach the platform: those of its domain where it has one, else path mode. */
export function clientHosts(config: { host: string; domain: string | null }, tlsPort: number): ClientHosts {
  return config.domain === null
    ? pathHosts(formatAuthority(reachableHost(config.host), tlsPort))
    : domainHosts(config.domain, tlsPort === 443 ? null : tlsPort);
}

/** Changes to a child's environment. */
export interface EnvironmentChange {
  set: Variables;
  unset: readonly string[];
  /** A proxy the caller had that Lanner cannot pass on (socks), without its password; null mostly. */
  unsupportedProxy: string | null;
}

/** Variables of the caller that would lead a client past Lanner, to plain HTTP, or to another key. */
const unsetForIntercept = [
  'FAL_HOST',
  'FAL_KEY_ID',
  'FAL_KEY_SECRET',
  'FAL_FORCE_AUTH_BY_USER',
  'ISOLATE_TEST_MODE',
  'ISOLATE_AUTH_DISABLED',
  // gRPC reads these before https_proxy and no_proxy
  'grpc_proxy',
  'no_grpc_proxy',
  // websockets (Python) reads these before https_proxy
  'wss_proxy',
  'WSS_PROXY',
  'socks_proxy',
  'SOCKS_PROXY',
];

/**
 * What `lanner exec` changes for its child: fal's own host names lead to this platform, for programs that know nothing of
 * it. The hosts are set to fal's defaults explicitly, because a profile in the user's fal configuration may name others. Pure.
 */
export function interceptEnvironment(
  access: ClientAccess & { proxyToken: string },
  environment: Environment,
): EnvironmentChange {
  const { proxy, unsupported } = readUpstreamProxy(environment);
  const user = encodeProxyUser(proxy === null ? { kind: 'direct' } : { kind: 'proxy', proxy });
  const authority = formatAuthority(proxyHost(access.host), access.httpPort);
  const proxyUrl = `http://${user}:${access.proxyToken}@${authority}`;
  const noProxy = interceptNoProxy(environment.no_proxy ?? environment.NO_PROXY ?? '', exemptHosts(access.host));
  return {
    set: {
      ...hostVariables(interceptHosts()),
      FAL_KEY: access.key,
      ...trustVariables(access.bundlePath),
      CURL_CA_BUNDLE: access.bundlePath,
      https_proxy: proxyUrl,
      HTTPS_PROXY: proxyUrl,
      no_proxy: noProxy,
      NO_PROXY: noProxy,
      NODE_USE_ENV_PROXY: '1',
    },
    unset: unsetForIntercept,
    unsupportedProxy: unsupported,
  };
}

/** PEM files the caller trusts already; a bundle that replaces them has to contain them. */
export function trustedFiles(environment: Environment): string[] {
  const names = [...Object.keys(trustVariables('')), 'CURL_CA_BUNDLE'];
  return names.map((name) => environment[name] ?? '').filter((path) => path !== '');
}

/** Name by which clients on this machine reach a port that listens on `host`; certificates are made for it. */
export function reachableHost(host: string): string {
  return isDefaultLoopback(host) ? 'localhost' : host;
}

/** The same as an address: not every program resolves `localhost`, and some to `::1` first. */
function proxyHost(host: string): string {
  if (host === '::1') return '::1';
  return isDefaultLoopback(host) ? '127.0.0.1' : host;
}

function exemptHosts(host: string): string[] {
  const reachable = reachableHost(host);
  return reachable === 'localhost' ? [] : [reachable];
}

function hostVariables(hosts: ClientHosts): Variables {
  return {
    FAL_GRPC_HOST: hosts.grpcHost,
    FAL_REST_HOST: hosts.restHost,
    FAL_RUN_HOST: hosts.runHost,
    FAL_QUEUE_RUN_HOST: hosts.queueHost,
    FAL_WS_RUN_HOST: hosts.wsHost,
    // A whole URL, unlike the others; only the toolkit's long-lived repository reads it.
    FAL_CDN_V3_HOST: `https://${hosts.cdnHost}`,
  };
}

function trustVariables(bundlePath: string): Variables {
  return {
    SSL_CERT_FILE: bundlePath,
    REQUESTS_CA_BUNDLE: bundlePath,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: bundlePath,
    NODE_EXTRA_CA_CERTS: bundlePath,
  };
}
