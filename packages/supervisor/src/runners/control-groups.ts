import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, StartRunnerRequest } from '@lanner/protocol';
import { descendantsOf } from '../zygotes/host-pid.ts';

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
const root = '/sys/fs/cgroup';
const folderPrefix = 'lanner-';
const periodUs = 100_000;
/** A fork bomb stops here; no app needs as many. */
const maxProcesses = 4096;
const maxMoveRounds = 20;

/** Makes this process's own group for runners. Best effort: what the system does not allow is left out. */
export function openControlGroups(clock: Clock): ControlGroups {
  const memberships = readMemberships();
  const folder = `${folderPrefix}${process.pid}-${randomBytes(4).toString('hex')}`;
  const v2 = memberships.get('');
  const isV2 = v2 !== undefined && read(join(root, v2, 'cgroup.controllers')) !== undefined;
  const parents = isV2 ? openUnified(join(root, v2), folder) : openLegacy(memberships, folder);
  return {
    controllers: [...parents.keys()],
    create: (name, limits, pid) => createGroup(parents, isV2, name, limits, pid, clock),
    stop() {
      for (const path of new Set(parents.values())) removeTree(path);
    },
  };
}

/** Out-of-memory kills on this machine since it started; 0 where the kernel does not count them. */
export function readOomKills(): number {
  return countOf(read('/proc/vmstat'), /^oom_kill (\d+)$/m);
}

function createGroup(
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
  for (const path of paths) attempt(problems, path, () => mkdirSync(path, { recursive: true }));
  for (const [controller, file, value] of isV2 ? unifiedSettings(limits) : legacySettings(limits)) {
    const path = folders.get(controller);
    if (path !== undefined) attempt(problems, file, () => writeFileSync(join(path, file), value));
  }
  const entered = paths.size === 0 ? Promise.resolve() : enter(problems, paths, pid);
  const memory = folders.get('memory');
  return {
    problems,
    entered,
    oomKills: () =>
      memory === undefined
        ? 0
        : countOf(read(join(memory, isV2 ? 'memory.events' : 'memory.oom_control')), /^oom_kill (\d+)$/m),
    remove() {
      void entered.then(() => {
        for (const path of paths) removeLater(path, clock, 0);
      });
    },
  };
}

/**
 * Moves a process and what it has forked meanwhile. The kernel may let the first move wait for tens of milliseconds
 * (a grace period of all CPUs), which is no time to hold up a start or this process; the next ones are quick.
 */
async function enter(problems: string[], paths: ReadonlySet<string>, pid: number): Promise<void> {
  const moved = new Set<number>();
  for (let round = 0; round < maxMoveRounds; round += 1) {
    const left = [pid, ...descendantsOf(pid)].filter((each) => !moved.has(each));
    if (left.length === 0) return;
    for (const each of left) {
      moved.add(each);
      for (const path of paths) {
        await writeFile(join(path, 'cgroup.procs'), String(each)).catch((error: NodeJS.ErrnoException) => {
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

function openLegacy(memberships: ReadonlyMap<string, string>, folder: string): Map<Controller, string> {
  const parents = new Map<Controller, string>();
  for (const controller of wanted) {
    const membership = memberships.get(controller);
    if (membership === undefined) continue;
    removeLeftOver(join(root, controller, membership));
    const path = join(root, controller, membership, folder);
    if (tryTo(() => mkdirSync(path))) parents.set(controller, path);
  }
  return parents;
}

/** v2 wants processes in leaves only: this process moves to one, then its former group can hand out controllers. */
function openUnified(own: string, folder: string): Map<Controller, string> {
  const parents = new Map<Controller, string>();
  const available = new Set((read(join(own, 'cgroup.controllers')) ?? '').trim().split(' '));
  removeLeftOver(own);
  const leaf = join(own, `${folder}-supervisor`);
  const runners = join(own, folder);
  const isMoved =
    tryTo(() => mkdirSync(leaf)) && tryTo(() => writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid)));
  if (!isMoved || !tryTo(() => mkdirSync(runners))) return parents;
  for (const controller of wanted) {
    if (!available.has(controller)) continue;
    const isOn = [own, runners].every((path) =>
      tryTo(() => writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`)),
    );
    if (isOn) parents.set(controller, runners);
  }
  return parents;
}

/** Controller → path of this process; the key of v2 is ''. */
function readMemberships(): Map<string, string> {
  const memberships = new Map<string, string>();
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    for (const name of match[1]!.split(',')) memberships.set(name, match[2]!);
  }
  return memberships;
}

/** Groups of supervisors that were killed. */
function removeLeftOver(parent: string): void {
  for (const name of list(parent)) {
    const pid = name.startsWith(folderPrefix) ? Number.parseInt(name.slice(folderPrefix.length), 10) : Number.NaN;
    if (pid > 0 && !tryTo(() => process.kill(pid, 0))) removeTree(join(parent, name));
  }
}

/** Removes a group and those in it; what still holds a process stays. */
function removeTree(path: string): void {
  for (const name of list(path)) tryTo(() => rmdirSync(join(path, name)));
  tryTo(() => rmdirSync(path));
}

function list(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** A group can be removed once its last process is reaped, a moment after the runner's end. */
function removeLater(path: string, clock: Clock, attempts: number): void {
  if (tryTo(() => rmdirSync(path)) || attempts > 20) return;
  clock.setTimer(20 * (attempts + 1), () => removeLater(path, clock, attempts + 1));
}

function countOf(text: string | undefined, pattern: RegExp): number {
  return Number(pattern.exec(text ?? '')?.[1] ?? 0);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function attempt(problems: string[], what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    problems.push(`${what}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

function tryTo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
