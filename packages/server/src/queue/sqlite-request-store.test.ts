import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteRequestStore } from './sqlite-request-store.ts';
import { describeRequestStore } from './store.conformance.ts';

describeRequestStore('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return { store: createSqliteRequestStore(database), close: () => database.close() };
});
