import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile, rename } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { supervisorProtocolVersion, systemClock, type Clock, type SupervisorStatus } from '@lanner/protocol';
import { createSupervisorServer } from './api/supervisor-server.ts';
import { createAttempts } from './attempts/attempts.ts';
import { createEnvironmentStore } from './builds/environment-store.ts';
import { createEnvironments } from './builds/environments.ts';
import { createEventLog } from './events/event-log.ts';
import { createResultSpool } from './events/result-spool.ts';
import { createLease } from './lease.ts';
import { lockFile } from './lib/folder-lock.ts';
import { silentLog, type Log } from './lib/log.ts';
import { openSocketFolder } from './lib/socket-folder.ts';
import { createAddressPool } from './runners/address-pool.ts';
import { createMemoryGuard } from './runners/memory-guard.ts';
import { createResourceGuards } from './runners/resource-guard.ts';
import { createRunners } from './runners/runners.ts';
import { probeIsolation, type Isolation } from './sandbox/isolation.ts';
import { createZygotes } from './zygotes/zygotes.ts';

export interface SupervisorConfig {
  /** Lanner's data folder; made when missing. */
  dataDir: string;
  /** Default `<data folder>/run/supervisor.sock`, or a short path below the temporary folder where that is too long. */
  socketPath?: string;
  /** Everything ends when no event stream was open for this long. Default 120 000. */
  leaseMs?: number;
  /** Of the operator: PATH, HOME, PYENV_ROOT. Used to find programs, never given to runners. */
  hostEnv: Record<string, string>;
  /** Index addresses, proxies, certificate files for builds; an sdist's code can read them. */
  buildEnv?: Record<string, string>;
  /** Bundle runners trust. Default `<data folder>/ca/bundle.pem`, when it is there. */
  caBundlePath?: string;
  /** Where uv is installed when PATH has none. Default `<data folder>/tools`. */
  toolsFolder?: string;
  /** What this machine allows, when it is known or being found out. Default: found out now. */
  isolation?: Promise<Isolation>;
  /** Lanner's own version, for the status. */
  version?: string;
  clock?: Clock;
  log?: Log;
}

export interface Supervisor {
  readonly socketPath: string;
  readonly bootId: string;
  /** Resolves when it has ended, whoever asked for it. */
  readonly ended: Promise<void>;
  /** Ends all runners (SIGTERM, at most `graceMs`, SIGKILL), then everything else. Idempotent. */
  stop(graceMs?: number): Promise<void>;
}

const defaultLeaseMs = 120_000;
const defaultGraceMs = 10_000;

/**
 * Starts a supervisor in this process and resolves when its API answers.
 * @throws LannerError `data_dir_locked` when another one uses the data folder, `config_invalid` without Python.
 */
export async function startSupervisor(config: SupervisorConfig): Promise<Supervisor> {
  const clock = config.clock ?? systemClock;
  const log = config.log ?? silentLog;
  const dataDir = resolve(config.dataDir);
  const inData = (...parts: string[]): string => join(dataDir, ...parts);
  await mkdir(inData('run'), { recursive: true, mode: 0o700 });
  const lock = lockFile(inData('run/supervisor.lock'));
  const bootId = randomUUID();
  const startedAtMs = clock.nowMs();
  const caBundlePath = config.caBundlePath ?? inData('ca/bundle.pem');
  const stopProbe = new AbortController();
  const isolation = config.isolation ?? probeIsolation(config.hostEnv, stopProbe.signal);
  isolation.then(
    ({ level, reason, addresses, addressesReason }) => {
      if (level === 'namespaces') log.info({ reason }, 'runners are isolated by namespaces');
      else log.warn({ reason }, 'runners are plain processes in a process group: no isolation on this machine');
      if (addresses === 'python') {
        log.warn(
          { reason: addressesReason },
          'only what apps bind through Python gets an address of its own: a server in another language is open to the network',
        );
      }
    },
    (error: unknown) => log.error({ error }, 'isolation could not be found out'),
  );

  const sockets = await openSocketFolder(inData('run'));
  const socketPath = config.socketPath ?? join(sockets.path, 'supervisor.sock');
  const workFolder = inData('run/zygotes');
  await rm(workFolder, { recursive: true, force: true });
  await rm(join(sockets.path, 'z'), { recursive: true, force: true });

  const events = createEventLog({ clock });
  const results = createResultSpool(inData('run/results'), clock);
  await results.start();
  const store = createEnvironmentStore(inData('environments'));
  const guards = createResourceGuards(clock, log);
  const pool = createAddressPool(dataDir);
  const zygotes = createZygotes({
    isolation: () => isolation,
    addresses: pool,
    clock,
    log,
    socketFolder: join(sockets.path, 'z'),
    workFolder,
    dataFolder: inData('data'),
    caBundlePath,
  });
  const environments = createEnvironments({
    store,
    isolation: () => isolation,
    addresses: pool,
    clock,
    log,
    hostEnv: config.hostEnv,
    buildEnv: config.buildEnv ?? {},
    caBundlePath,
    toolsFolder: config.toolsFolder ?? inData('tools'),
    onReplaced: (tree) => zygotes.retire(tree, () => void store.removeTree(tree.path).catch(() => {})),
    onBuilt: (tree, accountOrdinal) => zygotes.warm(tree, accountOrdinal),
  });
  // Elsewhere the free memory that the system tells leaves out what its caches would give back.
  const addresses =
    process.platform === 'linux' ? createMemoryGuard(pool, { clock, freeBytes: freemem, totalBytes: totalmem }) : pool;
  const runners = createRunners(addresses, {
    environments,
    zygotes,
    events,
    results,
    guards,
    isolation: () => isolation,
    blobFolder: inData('blobs'),
    dataFolder: inData('data'),
    clock,
    log,
  });

  const attempts = createAttempts({ events, results, clock, log });
  const inputFolder = inData('run/attempts');
  await rm(inputFolder, { recursive: true, force: true });

  const ended = Promise.withResolvers<void>();
  let stopped: Promise<void> | undefined;
  const stop = (graceMs: number = defaultGraceMs): Promise<void> => {
    stopped ??= shutDown(graceMs).then(ended.resolve, ended.reject);
    return stopped;
  };
  const lease = createLease(clock, config.leaseMs ?? defaultLeaseMs, () => {
    log.warn({ leaseMs: config.leaseMs ?? defaultLeaseMs }, 'no server for too long: ending');
    void stop();
  });
  const server = createSupervisorServer({
    socketPath,
    bootId,
    events,
    results,
    runners,
    attempts,
    inputFolder,
    environments,
    lease,
    clock,
    log,
    status: async (): Promise<SupervisorStatus> => {
      const { level, reason, addresses, addressesReason, hasOwnUids } = await isolation;
      return {
        protocolVersion: supervisorProtocolVersion,
        version: config.version ?? '0.0.0',
        pid: process.pid,
        bootId,
        startedAtMs,
        isolation: {
          ...{ level, reason, addresses, ownUids: level === 'namespaces' && hasOwnUids },
          ...(addressesReason === '' ? {} : { addressesReason }),
        },
        runners: runners.snapshots(),
        lastSeq: events.lastSeq,
      };
    },
    onShutdown: (graceMs) => void stop(graceMs),
  });

  const shutDown = async (graceMs: number): Promise<void> => {
    lease.stop();
    log.info({ graceMs }, 'supervisor stopping');
    await Promise.all([runners.stopAll(graceMs), environments.stop()]);
    attempts.stop();
    await zygotes.stop();
    guards.stop();
    stopProbe.abort();
    await server.stop();
    for (const name of ['supervisor.json', 'supervisor.pid']) await rm(inData('run', name), { force: true });
    await rm(socketPath, { force: true });
    await rm(join(sockets.path, 'z'), { recursive: true, force: true });
    await sockets.remove();
    lock.release();
    log.info({}, 'supervisor stopped');
  };

  try {
    await store.removePartialTrees();
    await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
    await server.start();
    await writeWhole(inData('run/supervisor.pid'), `${process.pid}\n`);
    const facts = { pid: process.pid, socket: socketPath, bootId, protocolVersion: supervisorProtocolVersion };
    await writeWhole(inData('run/supervisor.json'), `${JSON.stringify(facts)}\n`);
  } catch (error) {
    await stop(0);
    throw error;
  }
  log.info({ socket: socketPath, pid: process.pid }, 'supervisor ready');
  return { socketPath, bootId, ended: ended.promise, stop };
}

/** Readers see all of it or nothing. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
