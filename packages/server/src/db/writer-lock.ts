import { LannerError } from '@lanner/protocol';
import { isBusyError, openSqlite } from './sqlite.ts';

/** Held while a database is open for writing. */
export interface WriterLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Makes sure that one process alone writes to a database: two writers starve each other, and each would trust caches
 * that the other invalidates. The lock is a transaction on a file beside the database, so the kernel frees it however
 * the process ends, and the database itself stays readable for backups and inspection.
 *
 * @throws LannerError `data_dir_locked` when another server holds it.
 */
export function acquireWriterLock(databasePath: string): WriterLock {
  const connection = openLockFile(`${databasePath}.lock`, databasePath);
  return { release: () => connection.close() };
}

function openLockFile(lockPath: string, databasePath: string): { close(): void } {
  let connection: ReturnType<typeof openSqlite> | undefined;
  try {
    connection = openSqlite(lockPath, 0);
    connection.exec('BEGIN EXCLUSIVE');
    return connection;
  } catch (error) {
    connection?.close();
    if (!isBusyError(error)) throw error;
    throw new LannerError(
      'data_dir_locked',
      `Another Lanner server is using ${databasePath}. Stop it with \`lanner stop\`, or start this one with another --data-dir.`,
      { cause: error },
    );
  }
}
