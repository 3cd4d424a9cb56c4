import { dirname } from 'node:path';
import type { CgroupFiles } from '../runners/cgroup-files.ts';

interface Group {
  processes: Set<number>;
  files: Map<string, string>;
  /** Version 2: what its children may use. */
  handedOut: Set<string>;
}

/** Control groups in memory, with the rules of the kernel that matter here. */
export interface FakeCgroups extends CgroupFiles {
  processesOf(path: string): number[];
  paths(): string[];
  /** Folders that this user may not change, nor anything below them. */
  readonly closed: Set<string>;
}

/**
 * @param root path of the topmost group, made with `processes` in it.
 * @param controllers of version 2 that the topmost group may hand out; null: version 1.
 */
export function createFakeCgroups(root: string, processes: number[], controllers: string[] | null): FakeCgroups {
  const groups = new Map<string, Group>([
    [root, { processes: new Set(processes), files: new Map(), handedOut: new Set() }],
  ]);
  const closed = new Set<string>();
  const refuse = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  const groupAt = (path: string): Group => groups.get(path) ?? refuse('ENOENT');
  const assertOpen = (path: string): void => {
    if ([...closed].some((each) => path === each || path.startsWith(`${each}/`))) refuse('EACCES');
  };
  const childrenOf = (path: string): string[] => [...groups.keys()].filter((each) => dirname(each) === path);
  const available = (path: string): Set<string> =>
    path === root ? new Set(controllers) : (groups.get(dirname(path))?.handedOut ?? new Set());

  const moveProcess = (group: Group, pid: number): void => {
    if (group.handedOut.size > 0) refuse('EBUSY');
    for (const other of groups.values()) other.processes.delete(pid);
    group.processes.add(pid);
  };
  const handOut = (path: string, group: Group, text: string): void => {
    const controller = text.slice(1);
    if (text.startsWith('-')) return void group.handedOut.delete(controller);
    if (!available(path).has(controller)) refuse('ENOENT');
    if (group.processes.size > 0) refuse('EBUSY');
    group.handedOut.add(controller);
  };

  const fake: FakeCgroups = {
    closed,
    paths: () => [...groups.keys()],
    processesOf: (path) => [...groupAt(path).processes],
    read(path) {
      const group = groups.get(dirname(path));
      if (group === undefined) return undefined;
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (name === 'cgroup.procs') return [...group.processes].map((pid) => `${pid}\n`).join('');
      if (name === 'cgroup.controllers')
        return controllers === null ? undefined : [...available(dirname(path))].join(' ');
      return group.files.get(name);
    },
    write(path, text) {
      assertOpen(path);
      const folder = dirname(path);
      const group = groupAt(folder);
      const name = path.slice(folder.length + 1);
      if (name === 'cgroup.procs') return moveProcess(group, Number(text));
      if (name === 'cgroup.subtree_control') return handOut(folder, group, text);
      const controller = name.slice(0, name.indexOf('.'));
      if (controllers !== null && !available(folder).has(controller)) refuse('ENOENT');
      group.files.set(name, text);
    },
    writeLater: async (path, text) => fake.write(path, text),
    makeFolder(path) {
      assertOpen(path);
      groupAt(dirname(path));
      if (groups.has(path)) refuse('EEXIST');
      groups.set(path, { processes: new Set(), files: new Map(), handedOut: new Set() });
    },
    removeFolder(path) {
      assertOpen(path);
      if (groupAt(path).processes.size > 0 || childrenOf(path).length > 0) refuse('EBUSY');
      groups.delete(path);
    },
    folders: (path) => childrenOf(path).map((each) => each.slice(path.length + 1)),
  };
  return fake;
}
