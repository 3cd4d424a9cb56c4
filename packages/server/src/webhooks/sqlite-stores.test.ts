import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { addDelivery } from './add-delivery.ts';
import { createSqliteDeliveryStore } from './sqlite-delivery-store.ts';
import { describeDeliveryStore } from './store.conformance.ts';

describeDeliveryStore('SQLite', async () => {
  const database = await openTemporaryDatabase();
  return {
    store: createSqliteDeliveryStore(database),
    add: (delivery) => database.write((connection) => addDelivery(connection, delivery)),
    close: () => database.close(),
  };
});
