import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LannerError } from '@lanner/protocol';
import { leftMs, readCertificate } from './inspect-certificate.ts';
import type { Identity } from './issue-certificates.ts';

/**
 * The certificate the operator gave for the domain. Throws `config_invalid` naming both files when they cannot be read,
 * do not belong together, have ended, or are not for the domain and the names below it.
 */
export function readUserIdentity(config: { tlsCert: string; tlsKey: string; domain: string }, nowMs: number): Identity {
  const fail = (what: string): never => {
    throw new LannerError('config_invalid', `tlsCert = "${config.tlsCert}", tlsKey = "${config.tlsKey}": ${what}.`);
  };
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      return fail(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
  };
  const identity = { cert: read(config.tlsCert), key: read(config.tlsKey) };
  const certificate = readCertificate(identity.cert) ?? fail('the certificate file holds no PEM certificate');
  const key = readPrivateKey(identity.key) ?? fail('the key file holds no PEM private key that can be read');
  if (!certificate.checkPrivateKey(key)) fail('the key belongs to another certificate');
  if (leftMs(certificate, nowMs) <= 0) fail(`the certificate ended on ${certificate.validTo}`);
  for (const host of [config.domain, `api.${config.domain}`]) {
    if (certificate.checkHost(host) === undefined) {
      fail(`the certificate is not for ${host}; the domain and all names below it are needed`);
    }
  }
  return identity;
}

function readPrivateKey(text: string): KeyObject | null {
  try {
    return createPrivateKey(text);
  } catch {
    return null;
  }
}
