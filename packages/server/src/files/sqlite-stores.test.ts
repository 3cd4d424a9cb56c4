import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { describeFileStores } from './object-store.conformance.ts';
import { createSqliteKeyValueStore } from './sqlite-key-value-store.ts';
import { createSqliteObjectStore } from './sqlite-object-store.ts';

describeFileStores('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    objects: createSqliteObjectStore(database),
    keyValues: createSqliteKeyValueStore(database),
    close: () => database.close(),
  };
});
