import { chmodSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where everything of one platform lives on disk. All paths are absolute. */
export interface DataDir {
  root: string;
  /** SQLite database of the platform. */
  database: string;
  /** Content-addressed files: uploads, shipped code. */
  blobs: string;
  /** Certificate authority: `ca.pem`, `ca-key.pem` (0600), `bundle.pem`, leaves with their keys (0600). */
  ca: string;
  /** What clients are told to trust: our authority and the public roots. */
  caBundle: string;
  /** What exists only while a server runs: lock, pid files, sockets. */
  run: string;
  /** Logs of the platform's own processes. */
  logs: string;
  /** What runners printed. */
  runnerLogs: string;
  /** Built Python environments. */
  environments: string;
  /** Persistent `/data` of runners. */
  data: string;
  /** The first key in clear text, 0600; see credentials.ts. */
  credentials: string;
  /** Key that encrypts secrets at rest, 0600, outside the database on purpose. */
  secretsKey: string;
  /** Token of the CONNECT proxy, 0600; it lasts over restarts so that a running `lanner exec` keeps working. */
  proxyToken: string;
  /** Held by the one server that may use this folder; see lock.ts. */
  lock: string;
  serverPid: string;
  serverState: string;
  supervisorPid: string;
}

/** The layout below `root`; a relative root is taken from the current folder. Touches no disk. */
export function dataDirLayout(root: string): DataDir {
  const absolute = resolve(root);
  const run = join(absolute, 'run');
  return {
    root: absolute,
    database: join(absolute, 'lanner.db'),
    blobs: join(absolute, 'blobs'),
    ca: join(absolute, 'ca'),
    caBundle: join(absolute, 'ca', 'bundle.pem'),
    run,
    logs: join(absolute, 'logs'),
    runnerLogs: join(absolute, 'logs', 'runners'),
    environments: join(absolute, 'environments'),
    data: join(absolute, 'data'),
    credentials: join(absolute, 'credentials'),
    secretsKey: join(absolute, 'secrets.key'),
    proxyToken: join(absolute, 'proxy-token'),
    lock: join(run, 'server.lock'),
    serverPid: join(run, 'server.pid'),
    serverState: join(run, 'server.json'),
    supervisorPid: join(run, 'supervisor.pid'),
  };
}

/** `~/.lanner` of the user this process runs as. */
export function defaultDataRoot(): string {
  return join(homedir(), '.lanner');
}

/**
 * Makes the folders that are missing, each 0700, and closes the root to others if somebody opened it.
 * Throws the file system's error when the root cannot be made or does not belong to this user.
 */
export function ensureDataDir(dataDir: DataDir): void {
  mkdirSync(dataDir.root, { recursive: true, mode: 0o700 });
  chmodSync(dataDir.root, 0o700);
  for (const folder of [
    dataDir.blobs,
    dataDir.ca,
    dataDir.run,
    dataDir.logs,
    dataDir.runnerLogs,
    dataDir.environments,
    dataDir.data,
  ]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}
