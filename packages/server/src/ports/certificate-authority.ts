import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock, Timer } from '@lanner/protocol';
import { isDefaultLoopback } from '../config/authority.ts';
import { falCertificateNames, falDomains, isFalHost } from '../config/fal-hosts.ts';
import { readFileIfPresent, writeFileAtomically } from '../config/private-file.ts';
import { splitPem, writeBundle } from '../config/ca-bundle.ts';
import { isAnchor, leftMs, readCertificate } from './inspect-certificate.ts';
import type { Identity } from './issue-certificates.ts';
import { encodeNameConstraints } from './name-constraints.ts';
import { readUserIdentity } from './user-certificate.ts';

/** What the TLS port needs of the authority. */
export interface TlsIdentities {
  /** For a client that names no server. */
  defaultIdentity(): Identity;
  /** By SNI; unknown names get the default, and the client refuses it. */
  contextFor(serverName: string): SecureContext;
  /** Called after certificates were exchanged; returns the way to stop listening. */
  onRenewed(callback: () => void): () => void;
}

export interface CertificateAuthority extends TlsIdentities {
  /** Public certificate of our authority alone. */
  caPath: string;
  /** What clients are told to trust: our authority and the public roots. */
  bundlePath: string;
  /** Reads or makes certificates, then keeps them fresh. Throws `config_invalid` for an unusable `tlsCert`. */
  start(): Promise<void>;
  stop(): void;
}

/** The part of the configuration that decides which names are served. */
export interface CertificateConfig {
  host: string;
  domain: string | null;
  publicUrl: string | null;
  tlsCert: string | null;
  tlsKey: string | null;
}

interface Log {
  info(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

interface Leaf {
  name: 'local' | 'domain' | 'fal';
  dnsNames: string[];
  ipAddresses: string[];
}

const dayMs = 24 * 60 * 60 * 1000;
/** A leaf lives 90 days; a third of that is left for a machine that sleeps. */
const leafRenewalMs = 30 * dayMs;
const authorityRenewalMs = 365 * dayMs;
const checkEveryMs = dayMs / 2;

/**
 * The platform's own certificate authority, made at first start in `folder`. Its key never leaves the folder (0600), and
 * a critical name constraint keeps it from vouching for anything but localhost, the configured names and fal's own.
 * When the configured names change, the same key gets a new certificate, so clients that trust the older one keep working.
 */
export function createCertificateAuthority(options: {
  folder: string;
  config: CertificateConfig;
  clock: Clock;
  log: Log;
}): CertificateAuthority {
  const { folder, config, clock, log } = options;
  const caPath = join(folder, 'ca.pem');
  const keyPath = join(folder, 'ca-key.pem');
  const bundlePath = join(folder, 'bundle.pem');
  const listeners = new Set<() => void>();
  const current = new Map<Leaf['name'], { identity: Identity; context: SecureContext }>();
  let timer: Timer | null = null;
  let started: Promise<void> | null = null;

  /** Brings everything up to date; true when a certificate was exchanged. */
  async function refresh(): Promise<boolean> {
    const authority = await loadAuthority(caPath, keyPath, permittedNames(config), clock.nowMs());
    let changed = false;
    for (const leaf of leavesFor(config)) {
      const identity =
        leaf.name === 'domain' && config.tlsCert !== null && config.tlsKey !== null
          ? readUserIdentity({ tlsCert: config.tlsCert, tlsKey: config.tlsKey, domain: config.domain! }, clock.nowMs())
          : await loadLeaf(join(folder, `leaf-${leaf.name}.pem`), leaf, authority, clock.nowMs());
      const previous = current.get(leaf.name);
      if (previous?.identity.cert === identity.cert && previous.identity.key === identity.key) continue;
      current.set(leaf.name, { identity, context: createSecureContext(identity) });
      changed = true;
    }
    refreshBundle(authority.cert);
    return changed;
  }

  /** Reading the system's store costs 30 ms, so a bundle of today that holds our certificate is kept. */
  function refreshBundle(authority: string): void {
    const isFresh =
      readFileIfPresent(bundlePath)?.includes(authority.trim()) === true &&
      clock.nowMs() - statSync(bundlePath).mtimeMs < dayMs;
    const user = config.tlsCert === null ? [] : splitPem(readFileSync(config.tlsCert, 'utf8')).filter(isAnchor);
    if (!isFresh || user.length > 0) writeBundle(bundlePath, [authority, ...user]);
  }

  function armTimer(): void {
    timer = clock.setTimer(checkEveryMs, () => void renew());
  }

  async function renew(): Promise<void> {
    try {
      if (await refresh()) {
        log.info({ folder }, 'certificates renewed');
        for (const listener of listeners) listener();
      }
    } catch (error) {
      log.error({ err: error }, 'certificates could not be renewed; the old ones stay in use');
    }
    if (started !== null) armTimer();
  }

  function entry(name: Leaf['name']): { identity: Identity; context: SecureContext } {
    const found = current.get(name);
    if (found === undefined) throw new Error('the certificate authority was used before it was started');
    return found;
  }

  return {
    caPath,
    bundlePath,
    defaultIdentity: () => entry('local').identity,
    contextFor(serverName) {
      const name = serverName.toLowerCase();
      if (isFalHost(name)) return entry('fal').context;
      const { domain } = config;
      if (domain !== null && (name === domain || name.endsWith(`.${domain}`))) return entry('domain').context;
      return entry('local').context;
    },
    onRenewed(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    start() {
      started ??= refresh().then(armTimer);
      return started;
    },
    stop() {
      started = null;
      timer?.cancel();
    },
  };
}

/** The three certificates, by the names they answer for. */
function leavesFor(config: CertificateConfig): Leaf[] {
  const extra = extraHosts(config);
  const local: Leaf = {
    name: 'local',
    dnsNames: ['localhost', ...extra.filter((host) => isIP(host) === 0)],
    ipAddresses: ['127.0.0.1', '::1', ...extra.filter((host) => isIP(host) !== 0)],
  };
  const domain: Leaf[] =
    config.domain === null
      ? []
      : [{ name: 'domain', dnsNames: [config.domain, `*.${config.domain}`], ipAddresses: [] }];
  return [local, ...domain, { name: 'fal', dnsNames: [...falCertificateNames], ipAddresses: [] }];
}

/** Hosts beyond loopback under which this server was told to be reachable, outside the domain. */
function extraHosts(config: CertificateConfig): string[] {
  const hosts = [
    config.host,
    config.publicUrl === null ? '' : new URL(config.publicUrl).hostname.replace(/[[\]]/g, ''),
  ];
  const { domain } = config;
  return [...new Set(hosts)].filter(
    (host) =>
      host !== '' &&
      !isDefaultLoopback(host) &&
      !isFalHost(host) &&
      (domain === null || (host !== domain && !host.endsWith(`.${domain}`))),
  );
}

function permittedNames(config: CertificateConfig): string[] {
  const own = extraHosts(config).filter((host) => isIP(host) === 0);
  return ['localhost', ...own, ...(config.domain === null ? [] : [config.domain]), ...falDomains];
}

async function loadAuthority(certPath: string, keyPath: string, dnsNames: string[], nowMs: number): Promise<Identity> {
  const existing = readFileIfPresent(certPath);
  let key = readFileIfPresent(keyPath);
  if (key !== null && existing !== null) {
    const certificate = readCertificate(existing);
    const fits =
      certificate !== null &&
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      certificate.raw.includes(encodeNameConstraints(dnsNames)) &&
      leftMs(certificate, nowMs) > authorityRenewalMs;
    if (fits) return { cert: existing, key };
  }
  const { generateKey, issueAuthority } = await import('./issue-certificates.ts');
  if (key === null) {
    key = generateKey();
    writeFileAtomically(keyPath, key);
  }
  const cert = await issueAuthority({ key, dnsNames, nowMs });
  writeFileAtomically(certPath, cert, 0o644);
  return { cert, key };
}

/** A leaf and its key lie in one file, so that a crash can never leave one without the other. */
async function loadLeaf(path: string, leaf: Leaf, authority: Identity, nowMs: number): Promise<Identity> {
  const existing = readIdentity(readFileIfPresent(path));
  if (existing !== null && isLeafUsable(existing, leaf, authority, nowMs)) return existing;
  const { issueLeaf } = await import('./issue-certificates.ts');
  const identity = await issueLeaf({ authority, dnsNames: leaf.dnsNames, ipAddresses: leaf.ipAddresses, nowMs });
  writeFileAtomically(path, `${identity.key}${identity.cert}`);
  return identity;
}

function isLeafUsable(identity: Identity, leaf: Leaf, authority: Identity, nowMs: number): boolean {
  const certificate = readCertificate(identity.cert);
  if (certificate === null || leftMs(certificate, nowMs) < leafRenewalMs) return false;
  if (!certificate.verify(new X509Certificate(authority.cert).publicKey)) return false;
  const wanted = [...leaf.dnsNames.map((name) => `DNS:${name}`), ...leaf.ipAddresses.map((ip) => `IP Address:${ip}`)];
  const held = (certificate.subjectAltName ?? '').split(', ').map(canonicalIp);
  return wanted.length === held.length && wanted.map(canonicalIp).every((name) => held.includes(name));
}

/** Node writes IPv6 addresses of certificates in full; compare them in one spelling. */
function canonicalIp(name: string): string {
  const address = /^IP Address:(.*:.*)$/.exec(name)?.[1];
  return address === undefined ? name : `IP Address:${new URL(`http://[${address}]`).hostname}`;
}

function readIdentity(text: string | null): Identity | null {
  const key = text?.match(/-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n/)?.[0];
  const cert = text === null ? undefined : splitPem(text)[0];
  return key === undefined || cert === undefined ? null : { key, cert: `${cert}\n` };
}
