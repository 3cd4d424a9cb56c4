import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import { readFileIfPresent, writeFileAtomically } from './private-file.ts';

/** The first account and its admin key in clear text, as the `credentials` file of the data folder holds them. */
export interface Credentials {
  /** Nickname of the account. */
  account: string;
  /** `<id>:<secret>`, ready to be used as `FAL_KEY`. */
  key: string;
}

/** Description of the key in the file; `lanner rotate-key` knows the ones before it by this. */
export const firstKeyDescription = 'first key, made by lanner serve';

const schema = z.object({ account: z.string().min(1), key: z.string().regex(/^[^:\s]+:[^\s]+$/) });

/**
 * Reads the credentials file, or null when it does not exist. Throws `config_invalid` when it cannot be understood; the
 * message names the file and never its content.
 */
export function readCredentials(path: string): Credentials | null {
  const text = readFileIfPresent(path);
  if (text === null) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new LannerError(
      'config_invalid',
      `${path} is not a credentials file: expected JSON with "account" and "key" ("<id>:<secret>"). ` +
        'Remove it, and the next `lanner serve` makes a new key.',
    );
  }
}

/** Replaces the credentials file (0600). */
export function writeCredentials(path: string, credentials: Credentials): void {
  writeFileAtomically(path, `${JSON.stringify(schema.parse(credentials), null, 2)}\n`);
}
