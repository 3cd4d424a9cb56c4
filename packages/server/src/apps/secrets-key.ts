import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LannerError } from '@lanner/protocol';
import { ignoringAbsence } from '../lib/ignoring-absence.ts';

/** AES-256. */
const keyBytes = 32;

/**
 * Reads the key that secrets are encrypted with: one line of base64 in a file of its own (0600), so that a copy of the
 * database alone is worth nothing. Group and others lose access to the file if they had it.
 * @returns null when the file does not exist.
 * @throws LannerError `config_invalid` when the file holds something else.
 */
export async function readSecretsKey(path: string): Promise<Uint8Array | null> {
  const text = await ignoringAbsence(readFile(path, 'ascii'));
  if (text === null) return null;
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== keyBytes || key.toString('base64') !== text.trim()) {
    throw new LannerError(
      'config_invalid',
      `${path} does not hold a secrets key (one line, ${keyBytes} bytes in base64). Restore the file from a backup.`,
    );
  }
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
  return key;
}

/** Makes a new key file. It appears with its whole contents, on disk, or not at all. Throws when one is there already. */
export async function createSecretsKey(path: string): Promise<Uint8Array> {
  const key = randomBytes(keyBytes);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporaryPath = `${path}.${randomUUID()}`;
  const file = await open(temporaryPath, 'wx', 0o600);
  try {
    await file.writeFile(`${key.toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link fails where a rename would replace a key that somebody else has just made.
    await link(temporaryPath, path);
  } finally {
    await unlink(temporaryPath);
  }
  await syncFolderOf(path);
  return key;
}

/** Makes a rename or a new name in the folder of `path` durable. */
export async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
