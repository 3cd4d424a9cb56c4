import type { SqlConnection } from './sqlite.ts';

/** The schema as text, in a stable order: committed as `db/schema.sqlite.sql`, so that reviews see what migrations add up to. */
export function dumpSchema(connection: SqlConnection): string {
  const objects = connection.all<{ sql: string }>(
    `SELECT sql FROM sqlite_schema
     WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
     ORDER BY tbl_name, type DESC, name`,
  );
  const header = '-- Generated from the migrations; do not edit. Renew: node packages/server/db/write-schema.ts\n';
  return `${[header, ...objects.map((object) => `${object.sql};\n`)].join('\n')}`;
}
