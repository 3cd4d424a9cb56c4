import { createHash, type Hash } from 'node:crypto';
import { LannerError } from '@lanner/protocol';
import type { AppFileMetadata } from './app-files.ts';

/** S_IFMT and S_IFREG of POSIX. */
const fileTypeMask = 0o170000;
const regularFile = 0o100000;

/**
 * A running hash of one app file: SHA-256 over its bytes and then its mode as decimal text (rest-api 2.4).
 * @param digest SHA-256 that has seen the first bytes already.
 */
export function createAppFileHash(
  mode: number,
  digest: Hash = createHash('sha256'),
): { update(bytes: Uint8Array): void; digest(): string } {
  return {
    update: (bytes) => void digest.update(bytes),
    digest: () => digest.update(String(mode)).digest('hex'),
  };
}

/** @throws LannerError `invalid_argument`. */
export function assertAppFileHash(hash: unknown): asserts hash is string {
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)) return;
  // What is no string comes from JSON, where an object may have no text at all.
  const seen = typeof hash === 'string' ? `"${hash.slice(0, 100)}"` : `A value of type ${typeof hash}`;
  throw new LannerError('invalid_argument', `${seen} is not a file hash: 64 lower-case hex digits.`);
}

/**
 * The mode and, when sent, the size that a client claims for a file.
 * @throws LannerError `invalid_argument` for numbers that cannot be read, other files than regular ones, another hash.
 */
export function parseAppFileMetadata(
  hash: string,
  metadata: AppFileMetadata,
): { mode: number; sizeBytes: number | null } {
  if (metadata.hash !== undefined && metadata.hash !== hash) {
    throw new LannerError(
      'invalid_argument',
      `The metadata names hash "${metadata.hash.slice(0, 100)}", the address ${hash}.`,
    );
  }
  const mode = parseDecimal('mode', metadata.mode);
  if (mode === null || (mode & fileTypeMask) !== regularFile || mode > 0o177777) {
    throw new LannerError(
      'invalid_argument',
      `The metadata has mode "${metadata.mode ?? ''}", which is not the decimal st_mode of a regular file such as "33188".`,
    );
  }
  return { mode, sizeBytes: parseDecimal('size', metadata.size) };
}

function parseDecimal(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new LannerError(
    'invalid_argument',
    `The metadata has ${name} "${text.slice(0, 100)}", which is not a decimal number.`,
  );
}
