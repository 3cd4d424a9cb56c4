import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteAppFileStore } from './sqlite-app-file-store.ts';
import { describeBlobStores } from './store.conformance.ts';

describeBlobStores('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    appFiles: createSqliteAppFileStore(database),
    close: () => database.close(),
  };
});
