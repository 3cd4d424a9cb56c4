import type { Database } from '../db/database.ts';
import type { BlobReferences } from './blob-references.ts';

/**
 * Every column that holds names of blobs, whichever domain it belongs to. One that is missing here loses its blobs to the
 * sweep: a test compares this list with the schema. Each has an index.
 */
export const blobColumns = [
  ['revision_blobs', 'blob'],
  ['app_files', 'hash'],
  ['queue_inputs', 'body_blob'],
  ['queue_results', 'body_blob'],
  ['queue_garbage', 'blob'],
  ['object_parts', 'blob'],
  ['object_blob_leftovers', 'blob'],
] as const;

const isReferenced = blobColumns
  .map(([table, column]) => `EXISTS (SELECT 1 FROM ${table} WHERE ${column} = candidate.value)`)
  .join(' OR ');

export function createSqliteBlobReferences(database: Database): BlobReferences {
  return {
    filterReferenced: (names) =>
      database.read((db) => {
        const rows = db.all<{ value: string }>(
          `SELECT candidate.value FROM json_each(?) AS candidate WHERE ${isReferenced}`,
          JSON.stringify(names),
        );
        return new Set(rows.map((row) => row.value));
      }),
  };
}
