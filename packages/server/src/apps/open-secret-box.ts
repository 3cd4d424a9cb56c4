import { LannerError } from '@lanner/protocol';
import { createSecretBox, type SecretBox } from './secret-box.ts';
import type { SecretStore } from './secret-store.ts';
import { createSecretsKey, readSecretsKey } from './secrets-key.ts';

/**
 * The box of this installation. The key file is made at first start; where secrets are stored already, a missing or
 * foreign key is told at once, instead of when a runner needs a value.
 * @throws LannerError `config_invalid`.
 */
export async function openSecretBox(keyPath: string, store: SecretStore): Promise<SecretBox> {
  const key = await readSecretsKey(keyPath);
  const sample = await store.findAny();
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

function assertOpens(
  box: SecretBox,
  sample: { accountId: string; environmentName: string; name: string; sealedValue: Uint8Array },
  keyPath: string,
): void {
  try {
    box.open(sample.sealedValue, [sample.accountId, sample.environmentName, sample.name]);
  } catch (error) {
    throw new LannerError(
      'config_invalid',
      `The key in ${keyPath} does not open the secrets in the database. Restore the key that belongs to it.`,
      { cause: error },
    );
  }
}
