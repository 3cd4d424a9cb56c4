import { LannerError } from '@lanner/protocol';
import type { SealedValue, SealedValues } from './sealed-values.ts';
import { createSecretBox, type SecretBox } from './secret-box.ts';
import { createSecretsKey, readSecretsKey } from './secrets-key.ts';
import { finishRotation } from './secrets-key-rotation.ts';

/**
 * The box of this installation. The key file is made at first start; a rotation that was cut off is ended; where secrets
 * are stored already, a missing or foreign key is told at once, instead of when a runner needs a value.
 * @throws LannerError `config_invalid`.
 */
export async function openSecretBox(keyPath: string, values: SealedValues): Promise<SecretBox> {
  await finishRotation(keyPath, values);
  const key = await readSecretsKey(keyPath);
  const sample = await values.findIrreplaceable();
  if (key === null) {
    if (sample === null) return createSecretBox(await createSecretsKey(keyPath));
    throw new LannerError(
      'config_invalid',
      `The database holds secrets, but the key they were encrypted with is missing: ${keyPath}. Restore the file from a backup.`,
    );
  }
  const box = createSecretBox(key);
  if (sample !== null) assertOpens(box, sample, keyPath);
  return box;
}

function assertOpens(box: SecretBox, { place, sealed }: SealedValue, keyPath: string): void {
  try {
    box.open(sealed, place);
  } catch (error) {
    throw new LannerError(
      'config_invalid',
      `The key in ${keyPath} does not open the secrets in the database. Restore the key that belongs to it.`,
      { cause: error },
    );
  }
}
