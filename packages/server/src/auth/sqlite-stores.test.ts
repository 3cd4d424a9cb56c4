import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteAccountStore } from './sqlite-account-store.ts';
import { createSqliteKeyStore } from './sqlite-key-store.ts';
import { describeAuthStores } from './store.conformance.ts';

describeAuthStores('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    keys: createSqliteKeyStore(database),
    close: () => database.close(),
  };
});
