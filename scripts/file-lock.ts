import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 250;
const sqliteBusy = 5;

/**
 * Runs `action` while no other process holds the lock file `path`; waits for the holder. The lock is an exclusive SQLite
 * transaction, so the operating system frees it when its holder dies, however it dies.
 */
export async function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    while (!tryBegin(database)) await delay(pollMs);
    return await action();
  } finally {
    database.close();
  }
}

function tryBegin(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === sqliteBusy) return false;
    throw error;
  }
}
