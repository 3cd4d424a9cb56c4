import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { sealedColumns } from './sqlite-sealed-values.ts';

it('every sealed column of the schema is known to the rotation of the secrets key', async (t) => {
  const database = await openTemporaryDatabase();
  t.after(() => database.close());
  const inSchema = await database.read((db) =>
    db.all<{ name: string }>(
      `SELECT tables.name || '.' || columns.name AS name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' AND columns.name LIKE '%sealed%'`,
    ),
  );
  assert.deepEqual(
    sealedColumns.map(({ table, column }) => `${table}.${column}`).toSorted(),
    inSchema.map(({ name }) => name).toSorted(),
    'what is missing in sealedColumns cannot be opened after a rotation',
  );
});
