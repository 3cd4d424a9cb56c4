import type { Clock } from '@lanner/protocol';
import { createGroupCommit } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { migrationsFolder, readMigrations } from './migrations.ts';
import { openSqlite, useDurableJournal, type SqlConnection } from './sqlite.ts';
import { acquireWriterLock } from './writer-lock.ts';

/** The SQLite database of one server. Stores are its only users. */
export interface Database {
  /** Sees every committed write and nothing else: transactions never stay open over a turn of the event loop. */
  read<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /**
   * Runs `operation` in a transaction, shared with other writes of the same turn; see group-commit.ts. Resolves once the
   * write is durable. `operation` is synchronous and must not keep the connection.
   */
  write<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /** Commits what is queued and closes the file. Idempotent. */
  close(): Promise<void>;
}

/** How long a statement waits for a reader of another process (a backup) before it fails. */
const busyTimeoutMs = 5_000;

/**
 * Opens the database, makes sure that nobody else writes to it and brings its schema up to date.
 * @throws LannerError `data_dir_locked`, `schema_too_new`, `schema_changed`.
 */
export function openDatabase(options: { path: string; clock: Clock }): Database {
  const lock = acquireWriterLock(options.path);
  let connection;
  try {
    connection = openSqlite(options.path, busyTimeoutMs);
    useDurableJournal(connection);
    migrate(connection, readMigrations(migrationsFolder('sqlite')), options.clock.nowMs());
  } catch (error) {
    connection?.close();
    lock.release();
    throw error;
  }
  const opened = connection;
  const commits = createGroupCommit(opened);
  return {
    read: async (operation) => operation(opened),
    write: commits.write,
    async close() {
      commits.close();
      opened.close();
      lock.release();
    },
  };
}
