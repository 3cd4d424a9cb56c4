import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { LannerError } from '@lanner/protocol';

/** One step of the schema: a numbered file of plain SQL. */
export interface Migration {
  version: number;
  /** File name without the extension, e.g. `0001_init`. */
  name: string;
  sql: string;
  /** Hex SHA-256 of the text: tells a changed file from an applied one. */
  checksum: string;
}

/** A row of the ledger. */
export interface AppliedMigration {
  version: number;
  name: string;
  checksum: string;
}

/**
 * Folder of the SQL files: `db/migrations/<engine>` of this package, which lies two levels above the module both in the
 * source (`src/db`) and in what is published (`dist/db`).
 */
export function migrationsFolder(engine: 'sqlite', moduleUrl: string = import.meta.url): URL {
  return new URL(`../../db/migrations/${engine}/`, moduleUrl);
}

/** Reads the migrations of a folder in order. Throws when numbers repeat or are left out. */
export function readMigrations(folder: URL): Migration[] {
  const migrations = readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .toSorted()
    .map((file) => {
      const match = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file);
      if (match === null) throw new Error(`migration file ${file} is not named like 0001_what_it_does.sql`);
      const sql = readFileSync(new URL(file, folder), 'utf8');
      return {
        version: Number(match[1]),
        name: file.slice(0, -'.sql'.length),
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    });
  migrations.forEach((migration, index) => {
    if (migration.version !== index + 1) throw new Error(`migration ${migration.name} should have number ${index + 1}`);
  });
  return migrations;
}

/**
 * Which migrations are still to run.
 * @throws LannerError `schema_too_new` when the database has steps that this Lanner does not know, `schema_changed` when
 * an applied step is not the one in the file.
 */
export function decidePendingMigrations(known: Migration[], applied: AppliedMigration[]): Migration[] {
  for (const step of applied) {
    const file = known[step.version - 1];
    if (file === undefined) {
      throw new LannerError(
        'schema_too_new',
        `The database is at schema ${applied.length} (${step.name}), this Lanner knows ${known.length}. ` +
          'Start the newer Lanner that wrote it, or restore a backup made before the upgrade.',
      );
    }
    if (file.checksum !== step.checksum) {
      throw new LannerError(
        'schema_changed',
        `Migration ${step.name} was applied to the database with other contents than ${file.name} of this Lanner. ` +
          'Install the release that the database was made with; a released migration never changes.',
      );
    }
  }
  return known.slice(applied.length);
}
