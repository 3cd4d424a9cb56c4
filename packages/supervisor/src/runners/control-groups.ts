import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock, StartRunnerRequest } from '@lanner/protocol';
import { descendantsOf } from '../zygotes/host-pid.ts';
import { processesIn, removeTree, systemCgroupFiles, tryTo, type CgroupFiles } from './cgroup-files.ts';
import { openUnifiedGroups } from './unified-groups.ts';

/** A runner's control group: one folder per controller (v1), or one folder (v2). */
export interface ControlGroup {
  /** What could not be set. */
  problems: string[];
  /** Resolves when the runner's processes are in the group. */
  entered: Promise<void>;
  oomKills(): number;
  remove(): void;
}

export interface ControlGroups {
  /** Controllers that are writable: `memory`, `cpu`, `pids`. */
  controllers: string[];
  create(name: string, limits: StartRunnerRequest['limits'], pid: number): ControlGroup;
  stop(): void;
}

type Controller = 'memory' | 'cpu' | 'pids';
const wanted: readonly Controller[] = ['memory', 'cpu', 'pids'];
const folderPrefix = 'lanner-';
const periodUs = 100_000;
/** A fork bomb stops here; no app needs as many. */
const maxProcesses = 4096;
const maxMoveRounds = 20;

/** Where control groups are found; replaced by tests. */
export interface CgroupSystem {
  files: CgroupFiles;
  /** Mount point of the hierarchies. */
  root: string;
  /** Text of `/proc/self/cgroup`. */
  memberships: string;
  pid: number;
  isAlive(pid: number): boolean;
}

const thisSystem = (): CgroupSystem => ({
  files: systemCgroupFiles,
  root: '/sys/fs/cgroup',
  memberships: systemCgroupFiles.read('/proc/self/cgroup') ?? '',
  pid: process.pid,
  isAlive: (pid) => tryTo(() => void process.kill(pid, 0)),
});

/** Makes this process's own group for runners. Best effort: what the system does not allow is left out. */
export function openControlGroups(clock: Clock, system: CgroupSystem = thisSystem()): ControlGroups {
  const { files, root, pid } = system;
  const memberships = parseMemberships(system.memberships);
  const folder = `${folderPrefix}${pid}-${randomBytes(4).toString('hex')}`;
  const isV2 = memberships.has('') && files.read(join(root, 'cgroup.controllers')) !== undefined;
  const { parents, stop } = isV2
    ? openUnified(system, memberships.get('')!, folder)
    : openLegacy(system, memberships, folder);
  return {
    controllers: [...parents.keys()],
    create: (name, limits, runnerPid) => createGroup(files, parents, isV2, name, limits, runnerPid, clock),
    stop,
  };
}

/** Out-of-memory kills on this machine since it started; 0 where the kernel does not count them. */
export function readOomKills(): number {
  return countOf(systemCgroupFiles.read('/proc/vmstat'), /^oom_kill (\d+)$/m);
}

function createGroup(
  files: CgroupFiles,
  parents: ReadonlyMap<Controller, string>,
  isV2: boolean,
  name: string,
  limits: StartRunnerRequest['limits'],
  pid: number,
  clock: Clock,
): ControlGroup {
  const problems: string[] = [];
  const folders = new Map([...parents].map(([controller, parent]) => [controller, join(parent, name)]));
  const paths = new Set(folders.values());
  for (const path of paths) attempt(problems, path, () => files.makeFolder(path));
  for (const [controller, file, value] of isV2 ? unifiedSettings(limits) : legacySettings(limits)) {
    const path = folders.get(controller);
    if (path !== undefined) attempt(problems, file, () => files.write(join(path, file), value));
  }
  const entered = paths.size === 0 ? Promise.resolve() : enter(files, problems, paths, pid);
  const memory = folders.get('memory');
  return {
    problems,
    entered,
    oomKills: () =>
      memory === undefined
        ? 0
        : countOf(files.read(join(memory, isV2 ? 'memory.events' : 'memory.oom_control')), /^oom_kill (\d+)$/m),
    remove() {
      void entered.then(() => {
        for (const path of paths) removeLater(files, path, clock, 0);
      });
    },
  };
}

/**
 * Moves a process and what it has forked meanwhile. The kernel may let the first move wait for tens of milliseconds
 * (a grace period of all CPUs), which is no time to hold up a start or this process; the next ones are quick.
 */
async function enter(files: CgroupFiles, problems: string[], paths: ReadonlySet<string>, pid: number): Promise<void> {
  const moved = new Set<number>();
  for (let round = 0; round < maxMoveRounds; round += 1) {
    const left = [pid, ...descendantsOf(pid)].filter((each) => !moved.has(each));
    if (left.length === 0) return;
    for (const each of left) {
      moved.add(each);
      for (const path of paths) {
        await files.writeLater(join(path, 'cgroup.procs'), String(each)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ESRCH') problems.push(`${path}: ${error.code}`); // ESRCH: it has ended already
        });
      }
    }
  }
}

function legacySettings(limits: StartRunnerRequest['limits']): [Controller, string, string][] {
  return [
    ['memory', 'memory.limit_in_bytes', String(Math.round(limits.memoryMiB * 1024 * 1024))],
    ['cpu', 'cpu.cfs_period_us', String(periodUs)],
    ['cpu', 'cpu.cfs_quota_us', String(Math.round(limits.cpus * periodUs))],
    ['pids', 'pids.max', String(maxProcesses)],
  ];
}

function unifiedSettings(limits: StartRunnerRequest['limits']): [Controller, string, string][] {
  return [
    ['memory', 'memory.max', String(Math.round(limits.memoryMiB * 1024 * 1024))],
    ['memory', 'memory.oom.group', '1'],
    ['cpu', 'cpu.max', `${Math.round(limits.cpus * periodUs)} ${periodUs}`],
    ['pids', 'pids.max', String(maxProcesses)],
  ];
}

interface Opened {
  /** Controller → folder in which each runner gets a group. */
  parents: Map<Controller, string>;
  stop(): void;
}

function openLegacy(system: CgroupSystem, memberships: ReadonlyMap<string, string>, folder: string): Opened {
  const { files, root } = system;
  const parents = new Map<Controller, string>();
  for (const controller of wanted) {
    const membership = memberships.get(controller);
    if (membership === undefined) continue;
    const own = findOwn(system, join(root, controller), membership);
    removeLeftOver(system, own);
    const path = join(own, folder);
    if (tryTo(() => files.makeFolder(path))) parents.set(controller, path);
  }
  return {
    parents,
    stop() {
      for (const path of new Set(parents.values())) removeTree(files, path);
    },
  };
}

function openUnified(system: CgroupSystem, membership: string, folder: string): Opened {
  const { files, root, pid } = system;
  const own = findOwn(system, root, membership);
  removeLeftOver(system, own);
  const { runners, controllers, stop } = openUnifiedGroups(files, own, folder, pid, wanted);
  return { parents: new Map(controllers.map((controller) => [controller as Controller, runners])), stop };
}

/** In a container the mount may show our own group as the root, while the membership names it from outside. */
function findOwn({ files, pid }: CgroupSystem, mount: string, membership: string): string {
  const named = join(mount, membership);
  return processesIn(files, named).includes(pid) || !processesIn(files, mount).includes(pid) ? named : mount;
}

/** Controller → path of this process; the key of v2 is ''. */
function parseMemberships(text: string): Map<string, string> {
  const memberships = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    for (const name of match[1]!.split(',')) memberships.set(name, match[2]!);
  }
  return memberships;
}

/** Groups of supervisors that were killed. */
function removeLeftOver({ files, isAlive }: CgroupSystem, parent: string): void {
  for (const name of files.folders(parent)) {
    const pid = name.startsWith(folderPrefix) ? Number.parseInt(name.slice(folderPrefix.length), 10) : Number.NaN;
    if (pid > 0 && !isAlive(pid)) removeTree(files, join(parent, name));
  }
}

/** A group can be removed once its last process is reaped, a moment after the runner's end. */
function removeLater(files: CgroupFiles, path: string, clock: Clock, attempts: number): void {
  if (tryTo(() => files.removeFolder(path)) || attempts > 20) return;
  clock.setTimer(20 * (attempts + 1), () => removeLater(files, path, clock, attempts + 1));
}

function countOf(text: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(text ?? '')?.[1] ?? 0);
}

function attempt(problems: string[], what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    problems.push(`${what}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}
