import { accessSync, chmodSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isLannerError, LannerError } from '@lanner/protocol';
import { makeFolder } from './make-folder.ts';

/** Where everything of one platform lives on disk. All paths are absolute. */
export interface DataDir {
  root: string;
  /** SQLite database of the platform. */
  database: string;
  /** Content-addressed files: uploads, shipped code. */
  blobs: string;
  /** Files that callers and runners uploaded. */
  objects: string;
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
  /** Key that signs short-lived tokens, 0600; deleting it makes every token void. */
  tokensKey: string;
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
    objects: join(absolute, 'objects'),
    ca: join(absolute, 'ca'),
    caBundle: join(absolute, 'ca', 'bundle.pem'),
    run,
    logs: join(absolute, 'logs'),
    runnerLogs: join(absolute, 'logs', 'runners'),
    environments: join(absolute, 'environments'),
    data: join(absolute, 'data'),
    credentials: join(absolute, 'credentials'),
    secretsKey: join(absolute, 'secrets.key'),
    tokensKey: join(absolute, 'tokens.key'),
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
 * Makes the folders that are missing, each 0700, closes the root to others if somebody opened it, and makes sure that it
 * can be written. Ends at once whatever the path is.
 * @throws LannerError `config_invalid` with the folder and what is wrong with it.
 */
export function ensureDataDir(dataDir: DataDir): void {
  const { root, blobs, ca, run, logs, runnerLogs, environments, data } = dataDir;
  prepareFolder(root, () => {
    makeFolder(root);
    assertOwn(root);
    chmodSync(root, 0o700);
  });
  for (const folder of [blobs, ca, run, logs, runnerLogs, environments, data]) {
    prepareFolder(folder, () => {
      makeFolder(folder);
      accessSync(folder, constants.W_OK | constants.X_OK);
    });
  }
}

function prepareFolder(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (isLannerError(error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const { problem, todo } = describeRefusal(code);
    const sentence = `${path} cannot be used as a data folder: ${problem} (${code ?? 'unknown error'}). ${todo}`;
    throw new LannerError('config_invalid', sentence, { cause: error });
  }
}

function describeRefusal(code: string | undefined): { problem: string; todo: string } {
  const elsewhere = 'Choose another folder with --data-dir.';
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return {
        problem: 'this user may not write there',
        todo: 'Run this as the user it belongs to, or choose another folder with --data-dir.',
      };
    case 'EROFS':
      return { problem: 'it lies on a read-only file system', todo: elsewhere };
    case 'EEXIST':
    case 'ENOTDIR':
      return { problem: 'it is not a folder, or goes through something that is none', todo: elsewhere };
    case 'ENOSPC':
    case 'EDQUOT':
      return { problem: 'there is no space left', todo: 'Make room, then try again.' };
    default:
      return { problem: 'no folder can be made there', todo: elsewhere };
  }
}

/** Another user could read every key in a folder of theirs. Root decides for itself, as with a mounted volume. */
function assertOwn(root: string): void {
  const userId = process.getuid?.();
  const ownerId = statSync(root).uid;
  if (userId === undefined || userId === 0 || userId === ownerId) return;
  throw new LannerError(
    'config_invalid',
    `The data folder ${root} belongs to another user (uid ${ownerId}; this is ${userId}). ` +
      'Run this as that user, or choose another folder with --data-dir.',
  );
}
