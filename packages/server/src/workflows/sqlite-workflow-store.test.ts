import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteWorkflowStore } from './sqlite-workflow-store.ts';
import { describeWorkflowStore } from './store.conformance.ts';

describeWorkflowStore('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    accounts: createSqliteAccountStore(database),
    workflows: createSqliteWorkflowStore(database),
    close: () => database.close(),
  };
});
