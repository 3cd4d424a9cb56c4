import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';

/** What control groups are made of: folders and the files in them. All but `read` and `folders` throw what the kernel says. */
export interface CgroupFiles {
  read(path: string): string | undefined;
  write(path: string, text: string): void;
  /** For what the kernel may keep waiting. */
  writeLater(path: string, text: string): Promise<void>;
  makeFolder(path: string): void;
  removeFolder(path: string): void;
  /** Names of the folders in a folder; none when there is no such folder. */
  folders(path: string): string[];
}

export const systemCgroupFiles: CgroupFiles = {
  read(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  write: (path, text) => writeFileSync(path, text),
  writeLater: (path, text) => writeFile(path, text),
  makeFolder: (path) => mkdirSync(path),
  removeFolder: (path) => rmdirSync(path),
  folders(path) {
    try {
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return [];
    }
  },
};

/** The process ids in a group. */
export function processesIn(files: CgroupFiles, group: string): number[] {
  return (files.read(`${group}/cgroup.procs`) ?? '').split('\n').filter(Boolean).map(Number);
}

/** Removes a group and those in it; what still holds a process stays. */
export function removeTree(files: CgroupFiles, path: string): void {
  for (const name of files.folders(path)) tryTo(() => files.removeFolder(`${path}/${name}`));
  tryTo(() => files.removeFolder(path));
}

/** False when it threw. */
export function tryTo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
