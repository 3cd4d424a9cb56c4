import { X509Certificate } from 'node:crypto';

/** The first certificate of a PEM text, or null when there is none that can be read. */
export function readCertificate(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text);
  } catch {
    return null;
  }
}

/** Whether a PEM certificate is one that chains end in: an authority's or a self-signed one. */
export function isAnchor(text: string): boolean {
  const certificate = readCertificate(text);
  return certificate !== null && (certificate.ca || certificate.subject === certificate.issuer);
}

/** Milliseconds until the certificate ends; negative afterwards. */
export function leftMs(certificate: X509Certificate, nowMs: number): number {
  return certificate.validToDate.getTime() - nowMs;
}
