import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 192 bits: out of reach for guessing, so a fast hash keeps it as well as a slow one would. */
const secretBytes = 24;

/** A fresh secret, lower-case hex. */
export function createKeySecret(): string {
  return randomBytes(secretBytes).toString('hex');
}

/** What is stored of a secret. */
export function hashKeySecret(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest();
}

/** Takes the same time wherever the two differ. */
export function equalHashes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Name of a credential in memory: tells credentials apart without keeping the secret. */
export function fingerprintOf(keyId: string, keySecret: string): string {
  return hash('sha256', `${keyId}:${keySecret}`, 'base64');
}
