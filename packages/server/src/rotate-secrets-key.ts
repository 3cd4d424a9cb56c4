import type { Clock } from '@lanner/protocol';
import { openSecretBox } from './apps/open-secret-box.ts';
import { rotateSecretsKey } from './apps/secrets-key-rotation.ts';
import { createSqliteSealedValues } from './apps/sqlite-sealed-values.ts';
import type { DataDir } from './config/data-dir.ts';
import { lockDataDir } from './config/lock.ts';
import { openDatabase } from './db/database.ts';

/**
 * Gives the platform of a data folder a new secrets key, while no server runs on it. Runners that a detached server left
 * alive go on.
 * @returns how many values were sealed anew.
 * @throws LannerError `data_dir_locked` while a server runs, `schema_too_new`, `config_invalid` (secrets key).
 */
export async function rotateSecretsKeyOf(dataDir: DataDir, clock: Clock): Promise<number> {
  const lock = lockDataDir(dataDir);
  try {
    const database = openDatabase({ path: dataDir.database, clock });
    try {
      const values = createSqliteSealedValues(database);
      const openBox = () => openSecretBox(dataDir.secretsKey, values);
      return await rotateSecretsKey(dataDir.secretsKey, values, openBox);
    } finally {
      await database.close();
    }
  } finally {
    lock.release();
  }
}
