import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lanner/protocol';
import { openDatabase, type Database } from './database.ts';

/** A database of its own for one test: on disk, migrated, and gone after `close`. */
export async function openTemporaryDatabase(): Promise<Database> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-database-'));
  const database = openDatabase({ path: join(folder, 'lanner.sqlite'), clock: systemClock });
  return {
    ...database,
    async close() {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
