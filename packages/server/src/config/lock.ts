import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LannerError } from '@lanner/protocol';
import type { DataDir } from './data-dir.ts';
import { readFileIfPresent } from './private-file.ts';

/** The right to be the one server of a data folder. */
export interface DataDirLock {
  /** Gives the folder back. Idempotent; the end of the process does the same, however it ends. */
  release(): void;
}

/** A probe holds the lock for microseconds; a starting server waits that long instead of giving up. */
const probeToleranceMs = 500;

/**
 * Takes the folder for this process. The lock is the operating system's (an exclusive SQLite transaction on an empty
 * file), so it dies with the process even after `kill -9`, and a pid file left behind means nothing.
 * Throws `data_dir_locked` naming the pid of the server that has it.
 */
export function lockDataDir(dataDir: DataDir): DataDirLock {
  const release = tryLock(dataDir.lock, probeToleranceMs);
  if (release !== null) return { release };
  const pid = readFileIfPresent(dataDir.serverPid)?.trim();
  const owner = pid === undefined || pid === '' ? 'Another Lanner server' : `The Lanner server with pid ${pid}`;
  throw new LannerError(
    'data_dir_locked',
    `${owner} uses the data folder ${dataDir.root}. ` +
      'Stop it with `lanner stop`, or start this one with another --data-dir.',
    { details: { dataDir: dataDir.root, ...(pid === undefined ? {} : { pid: Number(pid) }) } },
  );
}

/** Whether a living server has the folder. Never waits; false when the folder does not exist. */
export function isDataDirLocked(dataDir: DataDir): boolean {
  // Looking at it must not open it: closing any descriptor of a file drops every POSIX lock this process has on it.
  if (!existsSync(dataDir.lock)) return false;
  const release = tryLock(dataDir.lock, 0);
  release?.();
  return release === null;
}

function tryLock(path: string, timeoutMs: number): (() => void) | null {
  const database = new DatabaseSync(path, { timeout: timeoutMs });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) return null;
    throw error;
  }
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    process.off('exit', release);
    database.close();
  };
  // Also keeps the database reachable: a caller who drops the result would lose the lock to the garbage collector.
  process.on('exit', release);
  return release;
}

const sqliteBusy = 5;
