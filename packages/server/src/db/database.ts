import { closeSync, openSync } from 'node:fs';
import { LannerError, type Clock } from '@lanner/protocol';
import { createGroupCommit } from './group-commit.ts';
import { migrate } from './migrate.ts';
import { migrationsFolder, readMigrations } from './migrations.ts';
import { openSqlite, useDurableJournal, type SqlConnection } from './sqlite.ts';

/** The SQLite database of one server. Stores are its only users. */
export interface Database {
  /** Sees every committed write and nothing else: transactions never stay open over a turn of the event loop. */
  read<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /**
   * Runs `operation` in a transaction, shared with other writes of the same turn; see group-commit.ts. Resolves once the
   * write is durable. `operation` is synchronous and must not keep the connection.
   */
  write<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /** The same for what nobody waits for: it joins the next commit; see group-commit.ts. */
  writeUnhurried<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /** Commits what is queued and closes the file. Idempotent. */
  close(): Promise<void>;
}

/** How long a statement waits for a reader of another process (a backup) before it fails. */
const busyTimeoutMs = 5_000;

/**
 * Opens the database and brings its schema up to date. One process alone may do this for a file at a time: the lock of
 * the data folder (config/lock.ts) sees to that, because two writers starve each other and distrust no cache.
 * @throws LannerError `schema_too_new`, `schema_changed`, `config_invalid` for a file that is no database or damaged.
 */
export function openDatabase(options: { path: string; clock: Clock }): Database {
  makePrivateFile(options.path);
  const connection = openSqlite(options.path, busyTimeoutMs);
  try {
    useDurableJournal(connection);
    migrate(connection, readMigrations(migrationsFolder('sqlite')), options.clock.nowMs());
  } catch (error) {
    connection.close();
    throw unusable(options.path, error);
  }
  const commits = createGroupCommit(connection, options.clock);
  return {
    read: async (operation) => operation(connection),
    write: commits.write,
    writeUnhurried: commits.writeUnhurried,
    async close() {
      commits.close();
      connection.close();
    },
  };
}

/** SQLite's own numbers: the file is damaged, or is none of its files. */
const damaged: readonly unknown[] = [11, 26];
const diskFull = 13;

function unusable(path: string, error: unknown): unknown {
  const { errcode } = error as { errcode?: unknown };
  if (errcode === diskFull) {
    return new LannerError('storage_full', `There is no space left for ${path}. Make room, then try again.`, {
      cause: error,
    });
  }
  if (!damaged.includes(errcode)) return error;
  return new LannerError(
    'config_invalid',
    `${path} is not a database, or is damaged (${(error as Error).message}). ` +
      'Restore it from a backup; or move it away, and the next start makes an empty one.',
    { cause: error },
  );
}

/** SQLite gives the files beside a database the mode of the database itself: private to this user. */
function makePrivateFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
}
