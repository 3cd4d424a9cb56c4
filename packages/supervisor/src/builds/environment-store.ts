import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chown, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A finished environment on disk. */
export interface EnvironmentTree {
  accountId: string;
  environmentId: string;
  /** Absolute path of the environment. Never changes once finished. */
  path: string;
  /** Interpreter of the host that a virtual environment was made from; undefined for conda, which has its own in the tree. */
  basePython: string | undefined;
  /** e.g. `3.11.7` */
  pythonVersion: string;
}

/**
 * Where environments lie: `<folder>/<account>/trees/<id>.<n>` and the caches of uv and conda beside them, all writable by the account's
 * uid during builds; `<folder>/<account>/index/<id>.json`, which only the supervisor writes, names the finished tree.
 */
export interface EnvironmentStore {
  /** The finished tree, or undefined. Answers from memory after the first time. */
  find(accountId: string, environmentId: string): Promise<EnvironmentTree | undefined>;
  /** Folders for a new build. */
  prepare(
    accountId: string,
    environmentId: string,
    identity: { uid: number; gid: number } | undefined,
  ): Promise<BuildFolders>;
  /** Makes a tree the finished one of its id, durably. Returns the tree it replaces. */
  finish(tree: EnvironmentTree): Promise<EnvironmentTree | undefined>;
  removeTree(path: string): Promise<void>;
  /** Removes trees that no index file names: builds that a crash cut off. */
  removePartialTrees(): Promise<void>;
}

export interface BuildFolders {
  /** Absolute path of the new tree, below `storeFolder`; it does not exist yet. */
  tree: string;
  /** Holds trees and caches: one mount, so that files can be linked instead of copied. */
  storeFolder: string;
  /** uv's. */
  cacheFolder: string;
  /** Packages that conda has fetched, and what else micromamba keeps. */
  condaFolder: string;
  /** Holds the requirement files of this build, readable by its user. Private to this build; remove it afterwards. */
  inputFolder: string;
}

const cacheNames = { uv: '.uv-cache', conda: '.conda' };

/** @param folder e.g. `<data folder>/environments` */
export function createEnvironmentStore(folder: string): EnvironmentStore {
  const known = new Map<string, EnvironmentTree>();
  const indexPath = (accountId: string, id: string): string => join(folder, accountId, 'index', `${id}.json`);

  const read = async (accountId: string, id: string): Promise<EnvironmentTree | undefined> => {
    const text = await readFile(indexPath(accountId, id), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const entry = JSON.parse(text) as { tree: string; basePython?: string; pythonVersion: string };
    const path = join(folder, accountId, 'trees', entry.tree);
    return { accountId, environmentId: id, path, basePython: entry.basePython, pythonVersion: entry.pythonVersion };
  };

  return {
    async find(accountId, id) {
      const key = `${accountId}/${id}`;
      const tree = known.get(key) ?? (await read(accountId, id));
      if (tree !== undefined) known.set(key, tree);
      return tree;
    },
    async prepare(accountId, id, identity) {
      const account = join(folder, accountId);
      const storeFolder = join(account, 'trees');
      const cacheFolder = join(storeFolder, cacheNames.uv);
      const condaFolder = join(storeFolder, cacheNames.conda);
      const inputFolder = join(account, 'input', randomUUID());
      for (const path of [cacheFolder, condaFolder]) await mkdir(path, { recursive: true, mode: 0o755 });
      await mkdir(inputFolder, { recursive: true, mode: 0o755 });
      await mkdir(join(account, 'index'), { recursive: true, mode: 0o755 });
      if (identity !== undefined) {
        for (const path of [storeFolder, cacheFolder, condaFolder]) await chown(path, identity.uid, identity.gid);
      }
      const tree = join(storeFolder, `${id}.${randomUUID().slice(0, 8)}`);
      return { tree, storeFolder, cacheFolder, condaFolder, inputFolder };
    },
    async finish(tree) {
      const previous = await read(tree.accountId, tree.environmentId);
      const path = indexPath(tree.accountId, tree.environmentId);
      const name = tree.path.slice(tree.path.lastIndexOf('/') + 1);
      await writeDurably(
        path,
        JSON.stringify({ tree: name, basePython: tree.basePython, pythonVersion: tree.pythonVersion }),
      );
      known.set(`${tree.accountId}/${tree.environmentId}`, tree);
      return previous;
    },
    removeTree,
    async removePartialTrees() {
      for (const accountId of await listFolder(folder)) {
        const index = await listFolder(join(folder, accountId, 'index'));
        const trees = new Set<string>();
        for (const name of index) {
          const tree = await read(accountId, name.replace(/\.json$/, '')).catch(() => undefined);
          if (tree !== undefined) trees.add(tree.path);
        }
        for (const name of await listFolder(join(folder, accountId, 'trees'))) {
          const path = join(folder, accountId, 'trees', name);
          if (!Object.values(cacheNames).includes(name) && !trees.has(path)) await removeTree(path);
        }
        await rm(join(folder, accountId, 'input'), { recursive: true, force: true });
      }
    },
  };
}

/**
 * With the system's `rm`, which follows no link that takes a folder's place while it works; Node's looks at paths twice. What it
 * removes belongs to others, who may be at work beside it.
 */
async function removeTree(path: string): Promise<void> {
  await promisify(execFile)('rm', ['-rf', '--', path]);
}

async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(`${path}.new`, 'w', 0o644);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
}
