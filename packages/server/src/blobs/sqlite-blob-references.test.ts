import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { blobColumns, createSqliteBlobReferences } from './sqlite-blob-references.ts';

it('every column of the schema that names a blob counts as a reference, and is found through an index', async (t) => {
  const database = await openTemporaryDatabase();
  t.after(() => database.close());
  const inSchema = await database.read((db) =>
    db.all<{ name: string }>(
      `SELECT tables.name || '.' || columns.name AS name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' AND (columns.name LIKE '%blob' OR tables.name || '.' || columns.name = 'app_files.hash')`,
    ),
  );
  assert.deepEqual(
    blobColumns.map((column) => column.join('.')).toSorted(),
    inSchema.map(({ name }) => name).toSorted(),
    'a new column with names of blobs belongs into blobColumns, or the sweep deletes its blobs',
  );
  for (const [table, column] of blobColumns) {
    const plan = await database.read((db) =>
      db.all<{ detail: string }>(`EXPLAIN QUERY PLAN SELECT 1 FROM ${table} WHERE ${column} = ?`, 'x'),
    );
    assert.match(plan[0]!.detail, /^SEARCH/, `${table}.${column}`);
  }
  const references = createSqliteBlobReferences(database);
  assert.deepEqual(await references.filterReferenced(['ab'.repeat(32)]), new Set());
});
