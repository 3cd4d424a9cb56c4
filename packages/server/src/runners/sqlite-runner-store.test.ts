import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteRunnerStore } from './sqlite-runner-store.ts';
import { describeRunnerStore } from './store.conformance.ts';
import { createInMemoryRunnerStore } from './testing/in-memory-runner-store.ts';

describeRunnerStore('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    runners: createSqliteRunnerStore(database),
    close: () => database.close(),
  };
});

describeRunnerStore('memory', async () => ({
  accounts: { insert: async (account) => ({ ...account, ordinal: 1 }) },
  runners: createInMemoryRunnerStore(),
  close: async () => undefined,
}));
