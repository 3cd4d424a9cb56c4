import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { aCodeSpec, aNewRevision } from '../apps/app-builders.ts';
import { defaultScaleSettings } from '../apps/app-types.ts';
import { createSqliteAppStore } from '../apps/sqlite-app-store.ts';
import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteAppFileStore } from './sqlite-app-file-store.ts';
import { describeBlobStores } from './store.conformance.ts';

describeBlobStores('SQLite', async () => {
  const database = await openTemporaryDatabase();
  const apps = createSqliteAppStore(database);
  return {
    accounts: createSqliteAccountStore(database),
    async addRevision(accountId, fileHashes) {
      const files = fileHashes.map((hash) => ({ hash, relativePath: hash }));
      const inserted = await apps.insertRevision({
        ...aNewRevision(accountId, { code: aCodeSpec({ files }) }),
        revisionId: randomUUID(),
        settings: defaultScaleSettings,
        createdAtMs: 1,
      });
      assert.equal(inserted, true);
    },
    appFiles: createSqliteAppFileStore(database),
    close: () => database.close(),
  };
});
