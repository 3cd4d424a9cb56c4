import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, rootCertificates } from 'node:tls';
import { readFileIfPresent, writeFileAtomically } from './private-file.ts';

const pemPattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a PEM file, one string each. */
export function splitPem(text: string): string[] {
  return text.match(pemPattern) ?? [];
}

/**
 * One PEM text of everything a client should trust: the given certificates first, then the public roots of this Node and
 * of the operating system (that is where a company's own root is installed). Duplicates and unreadable entries are left
 * out: one of them would make gRPC refuse the whole file.
 */
export function buildBundle(certificates: readonly string[]): string {
  const seen = new Set<string>();
  const kept: string[] = [];
  for (const certificate of [...certificates, ...rootCertificates, ...systemCertificates()]) {
    const body = certificate.replace(/\s/g, '');
    if (seen.has(body)) continue;
    seen.add(body);
    if (isReadable(certificate)) kept.push(certificate.trim());
  }
  return `${kept.join('\n')}\n`;
}

/** Writes the bundle to `path` unless it is there with the same content; readable by everybody, it holds no secret. */
export function writeBundle(path: string, certificates: readonly string[]): void {
  const bundle = buildBundle(certificates);
  if (readFileIfPresent(path) !== bundle) writeFileAtomically(path, bundle, 0o644);
}

/**
 * A bundle for a caller who trusts further certificates already (`SSL_CERT_FILE` and the like set by a company's
 * set-up): `bundlePath` itself when there are none, else a file beside it with both. Files that cannot be read are
 * returned in `unreadable`; the caller would have failed on them anyway.
 */
export function extendBundle(
  bundlePath: string,
  folder: string,
  extraFiles: readonly string[],
): { path: string; unreadable: string[] } {
  const unreadable: string[] = [];
  const own = splitPem(readFileSync(bundlePath, 'utf8'));
  const known = new Set(own.map((certificate) => certificate.replace(/\s/g, '')));
  const extra: string[] = [];
  for (const file of new Set(extraFiles)) {
    try {
      extra.push(...splitPem(readFileSync(file, 'utf8')));
    } catch {
      unreadable.push(file);
    }
  }
  const added = extra.filter((certificate) => !known.has(certificate.replace(/\s/g, '')) && isReadable(certificate));
  if (added.length === 0) return { path: bundlePath, unreadable };
  const text = `${[...own, ...added].join('\n')}\n`;
  const path = join(folder, `bundle-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.pem`);
  if (readFileIfPresent(path) !== text) writeFileAtomically(path, text, 0o644);
  return { path, unreadable };
}

function systemCertificates(): string[] {
  try {
    return getCACertificates('system');
  } catch {
    return [];
  }
}

function isReadable(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).subject !== undefined;
  } catch {
    return false;
  }
}
