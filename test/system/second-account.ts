import { systemClock } from '@lanner/protocol';
import { createChangeFeed } from '../../packages/server/src/lib/change-feed.ts';
import { dataDirLayout } from '../../packages/server/src/config/data-dir.ts';
import { createStore } from '../../packages/server/src/store.ts';

/**
 * Adds an account with a full key to the store of a platform and returns the key. No server may be running on the
 * folder: there is one writer.
 */
export async function addAccount(dataDir: string, nickname: string): Promise<string> {
  const layout = dataDirLayout(dataDir);
  const store = await createStore({
    databasePath: layout.database,
    secretsKeyPath: layout.secretsKey,
    blobsDir: layout.blobs,
    clock: systemClock,
    changeFeed: createChangeFeed((error) => {
      throw error;
    }),
    log: {
      info: () => undefined,
      error(facts, message) {
        throw new Error(message, { cause: facts });
      },
    },
  });
  try {
    const account = await store.accounts.create({ nickname, fullName: nickname, isPersonal: true });
    const { keyId, keySecret } = await store.keys.create(account.accountId, { preset: 'FULL' }, 'made by a test');
    return `${keyId}:${keySecret}`;
  } finally {
    await store.close();
  }
}
