import { rename, rm, unlink } from 'node:fs/promises';
import type { SealedValue, SealedValues } from './sealed-values.ts';
import { createSecretBox, type SecretBox } from './secret-box.ts';
import { createSecretsKey, readSecretsKey, syncFolderOf } from './secrets-key.ts';

/** Where a new key waits until everything is sealed with it. */
const nextPath = (keyPath: string): string => `${keyPath}.next`;

/**
 * Gives an installation a new secrets key. Nobody else may use the database meanwhile. Three steps, after each of which a
 * crash loses nothing, since {@link finishRotation} tells from the sealed values how far it came:
 *
 * 1. the new key is written beside the old one, durably;
 * 2. every value is sealed anew, in one transaction;
 * 3. the new key takes the place of the old one.
 *
 * @returns how many values were sealed anew.
 * @throws LannerError `config_invalid` when the present key does not open what is stored.
 */
export async function rotateSecretsKey(
  keyPath: string,
  values: SealedValues,
  openBox: () => Promise<SecretBox>,
): Promise<number> {
  const before = await openBox();
  // Of a rotation that nobody could tell the end of: the present key opens what is stored, so this one is of no use.
  await rm(nextPath(keyPath), { force: true });
  const after = createSecretBox(await createSecretsKey(nextPath(keyPath)));
  const count = await values.resealAll(({ place, sealed }) => after.seal(before.open(sealed, place), place));
  await takePlace(keyPath);
  return count;
}

/** Ends a rotation that was cut off: forwards when the values are sealed with the new key, else as if it had not begun. */
export async function finishRotation(keyPath: string, values: SealedValues): Promise<void> {
  const next = await readSecretsKey(nextPath(keyPath));
  if (next === null) return;
  const sample = await values.findAny();
  if (sample !== null && opens(next, sample)) return takePlace(keyPath);
  const present = await readSecretsKey(keyPath);
  // Where neither opens it, both keys stay for a person to look at.
  if (sample === null || (present !== null && opens(present, sample))) await unlink(nextPath(keyPath));
}

async function takePlace(keyPath: string): Promise<void> {
  await rename(nextPath(keyPath), keyPath);
  await syncFolderOf(keyPath);
}

function opens(key: Uint8Array, { place, sealed }: SealedValue): boolean {
  try {
    createSecretBox(key).open(sealed, place);
    return true;
  } catch {
    return false;
  }
}
