import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteAppStore } from './sqlite-app-store.ts';
import { createSqliteEnvironmentStore } from './sqlite-environment-store.ts';
import { createSqliteSealedValues } from './sqlite-sealed-values.ts';
import { createSqliteSecretStore } from './sqlite-secret-store.ts';
import { describeAppStores } from './store.conformance.ts';

describeAppStores('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    apps: createSqliteAppStore(database),
    environments: createSqliteEnvironmentStore(database),
    secrets: createSqliteSecretStore(database),
    sealed: createSqliteSealedValues(database),
    close: () => database.close(),
  };
});
