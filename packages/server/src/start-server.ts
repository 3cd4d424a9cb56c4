import { systemClock, type Clock } from '@lanner/protocol';
import { dataDirLayout, ensureDataDir } from './config/data-dir.ts';
import { lockDataDir } from './config/lock.ts';
import { clearRunState, writeServerPid } from './config/run-state.ts';
import type { RunningServer } from './config/running-server.ts';
import type { ServerConfig } from './config/server-config.ts';
import { createReleasers } from './lib/releasers.ts';
import { createLogger, flushLogger, type Logger } from './observe/logger.ts';
import { createProcessDriver } from './runners/process-driver.ts';

export interface StartServerOptions {
  /** Program that `process.execPath` runs as the supervisor; the server package does not depend on the supervisor's. */
  supervisorEntry: string;
  /** Default: the machine's time. */
  clock?: Clock;
  /** Default: JSON lines on standard error. */
  log?: Logger;
}

/**
 * Starts a platform. What starts last stops first; a start that fails half-way releases what it had.
 *
 * The supervisor comes up in its own process while this one loads the rest of its code: start-up is the longer of the
 * two, not their sum. That is why `wireServer` is imported late.
 *
 * Throws `data_dir_locked`, `schema_too_new`, `config_invalid`, `supervisor_unavailable`.
 */
export async function startServer(config: ServerConfig, options: StartServerOptions): Promise<RunningServer> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLogger();
  const dataDir = dataDirLayout(config.dataDir);
  const releasers = createReleasers();
  try {
    ensureDataDir(dataDir);
    const lock = lockDataDir(dataDir);
    releasers.add(() => lock.release());
    writeServerPid(dataDir, process.pid);
    releasers.add(() => clearRunState(dataDir));

    const driver = createProcessDriver({ dataDir: dataDir.root, supervisorEntry: options.supervisorEntry, clock, log });
    releasers.add(({ leaveSupervisor }) => driver.stop({ leaveSupervisor }));
    driver.prepare();
    // Loading the rest holds the event loop for a fifth of a second: the supervisor is spawned before, not after.
    await new Promise((resolve) => setImmediate(resolve));
    const { wireServer } = await import('./wire-server.ts');
    return await wireServer({ config, dataDir, clock, log, driver, releasers });
  } catch (error) {
    await releasers.release({ graceMs: 0, leaveSupervisor: false });
    await flushLogger(log);
    throw error;
  }
}
