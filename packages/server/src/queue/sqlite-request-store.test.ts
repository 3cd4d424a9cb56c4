import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createSqliteDeliveryStore } from '../webhooks/sqlite-delivery-store.ts';
import { createSqlitePayloadStore } from './sqlite-payload-store.ts';
import { createSqliteRequestStore } from './sqlite-request-store.ts';
import { describeRequestStore } from './store.conformance.ts';

describeRequestStore('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    store: createSqliteRequestStore(database),
    payloads: createSqlitePayloadStore(database),
    deliveries: createSqliteDeliveryStore(database),
    close: () => database.close(),
  };
});
