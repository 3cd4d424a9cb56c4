import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { encodeNameConstraints, nameConstraintsOid } from './name-constraints.ts';

/** A certificate and its private key, both PEM (the key PKCS #8). */
export interface Identity {
  cert: string;
  key: string;
}

const dayMs = 24 * 60 * 60 * 1000;
const authorityLifetimeMs = 3650 * dayMs;
const leafLifetimeMs = 90 * dayMs;
/** Certificates are valid a little before they are made: clocks of two machines differ. */
const backdateMs = 60 * 60 * 1000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new P-256 private key, PKCS #8 PEM. */
export function generateKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
}

/**
 * A self-signed authority certificate for `key`, good for ten years, that can vouch for `dnsNames` and names below them
 * only (critical). The same key gives certificates that vouch for each other's leaves.
 */
export async function issueAuthority(options: {
  key: string;
  dnsNames: readonly string[];
  nowMs: number;
}): Promise<string> {
  const keys = await importKeys(options.key);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: authorityName(options.key),
      notBefore: new Date(options.nowMs - backdateMs),
      notAfter: new Date(options.nowMs + authorityLifetimeMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.Extension(nameConstraintsOid, true, encodeNameConstraints(options.dnsNames)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto as never,
  );
  return pem(certificate);
}

/** A server certificate with a key of its own, good for 90 days. */
export async function issueLeaf(options: {
  authority: Identity;
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
  nowMs: number;
}): Promise<Identity> {
  const authority = await importKeys(options.authority.key);
  const key = generateKey();
  const keys = await importKeys(key);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      // Not a host name: verifiers that look at the common name would hold it against the name constraints.
      subject: 'CN=Lanner server, O=Lanner',
      issuer: authorityName(options.authority.key),
      notBefore: new Date(options.nowMs - backdateMs),
      notAfter: new Date(options.nowMs + leafLifetimeMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: authority.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...options.dnsNames.map((value) => ({ type: 'dns' as const, value })),
          ...options.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto as never,
  );
  return { cert: pem(certificate), key };
}

async function importKeys(keyPem: string): Promise<{ privateKey: CryptoKey; publicKey: CryptoKey }> {
  const privateKey = createPrivateKey(keyPem);
  const { subtle } = webcrypto;
  return {
    privateKey: (await subtle.importKey('pkcs8', privateKey.export({ type: 'pkcs8', format: 'der' }), algorithm, true, [
      'sign',
    ])) as CryptoKey,
    publicKey: (await subtle.importKey(
      'spki',
      createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
      algorithm,
      true,
      ['verify'],
    )) as CryptoKey,
  };
}

/** One name per key, so that two platforms on one machine are told apart wherever certificates are looked up by name. */
function authorityName(keyPem: string): string {
  const publicKey = createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'der' });
  return `CN=Lanner local authority ${createHash('sha256').update(publicKey).digest('hex').slice(0, 8)}, O=Lanner`;
}

/** 127 random bits, positive and never zero in the first octet. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;

type CryptoKey = Awaited<ReturnType<typeof webcrypto.subtle.importKey>>;
