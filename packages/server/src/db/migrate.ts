import { decidePendingMigrations, type AppliedMigration, type Migration } from './migrations.ts';
import type { SqliteConnection } from './sqlite.ts';

const createLedger = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL
  ) STRICT`;

/**
 * Brings the schema up to date in one transaction: all pending steps or none. Forward only; the way back is a backup.
 * @returns names of the steps that ran.
 * @throws LannerError `schema_too_new`, `schema_changed`; then the database is untouched.
 */
export function migrate(connection: SqliteConnection, known: Migration[], nowMs: number): string[] {
  connection.exec('BEGIN IMMEDIATE');
  try {
    connection.exec(createLedger);
    const applied = connection.all<AppliedMigration>(
      'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
    );
    const pending = decidePendingMigrations(known, applied);
    for (const migration of pending) {
      connection.exec(migration.sql);
      connection.run(
        'INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (?, ?, ?, ?)',
        migration.version,
        migration.name,
        migration.checksum,
        nowMs,
      );
    }
    connection.exec('COMMIT');
    return pending.map((migration) => migration.name);
  } catch (error) {
    if (connection.isInTransaction()) connection.exec('ROLLBACK');
    throw error;
  }
}
