import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  dataDirLayout,
  ensureDataDir,
  findRunningServer,
  type RunState,
  type ServerConfig,
} from '@lanner/server/config';
import { CommandError, print } from '../output.ts';

const pollMs = 50;
const readyWithinMs = 60_000;

/**
 * Starts the same command again as a process of its own, with its output in `logs/server.log`, and returns when it is
 * ready. Throws a {@link CommandError} with the end of that log when it ends before.
 */
export async function serveInBackground(config: ServerConfig, announce: (state: RunState) => void): Promise<void> {
  const dataDir = dataDirLayout(config.dataDir);
  ensureDataDir(dataDir);
  const logPath = join(dataDir.logs, 'server.log');
  const log = openSync(logPath, 'a', 0o600);
  const logStart = fstatSync(log).size;
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, LANNER_BACKGROUND: '1' },
  });
  closeSync(log);
  let ended: string | null = null;
  child.once('error', (error) => (ended = error.message));
  child.once('exit', (code, signal) => (ended = signal ?? `exit code ${code}`));

  const endMs = performance.now() + readyWithinMs;
  while (performance.now() < endMs) {
    const state = findRunningServer(dataDir);
    if (state?.pid === child.pid) {
      child.unref();
      announce(state!);
      print(`It runs in the background with pid ${child.pid}; its log is ${logPath}.`);
      return;
    }
    if (ended !== null) {
      const tail = readFileSync(logPath)
        .subarray(logStart)
        .toString('utf8')
        .trimEnd()
        .split('\n')
        .slice(-20)
        .join('\n');
      throw new CommandError(
        `The server did not start (${ended as string}). The end of its log:\n${tail}`,
        `All of it: ${logPath}`,
      );
    }
    await sleep(pollMs);
  }
  child.kill('SIGKILL');
  throw new CommandError(`The server was not ready after ${readyWithinMs / 1000} seconds.`, `See ${logPath}.`);
}
