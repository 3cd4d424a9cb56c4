import { DatabaseSync } from 'node:sqlite';
import { LannerError } from '@lanner/protocol';

/**
 * An exclusive lock that ends with the process, whatever ends it. SQLite holds it: Node has no file locks of its own,
 * and pid files cannot tell a crashed owner from a reused pid without a race.
 * @param path file to lock, created when missing.
 * @throws LannerError `data_dir_locked` when another process holds it.
 */
export function lockFile(path: string): { release(): void } {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== sqliteBusy) throw error;
    throw new LannerError(
      'data_dir_locked',
      `Another supervisor uses this data folder (it holds ${path}). Stop it first.`,
    );
  }
  return { release: () => database.close() };
}

const sqliteBusy = 5;
