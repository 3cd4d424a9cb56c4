import { readdirSync, readFileSync } from 'node:fs';

/**
 * The host's pid of a process that is known by its pid inside a sandbox: among the descendants of `rootPid`, the one
 * whose `NSpid` line has `innerPid` as the last number but `depth` (0: its innermost namespace).
 * @returns undefined where /proc cannot tell (no Linux, process gone).
 */
export function findHostPid(rootPid: number, innerPid: number, depth: number): number | undefined {
  for (const pid of descendantsOf(rootPid)) {
    const inner = namespacePids(pid).at(-1 - depth);
    if (inner === innerPid) return pid;
  }
  return undefined;
}

/** All processes below `pid`, nearest first; empty where /proc cannot tell. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const child of childrenOf(next)) {
      found.push(child);
      queue.push(child);
    }
  }
  return found;
}

function childrenOf(pid: number): number[] {
  try {
    const folder = `/proc/${pid}/task`;
    return readdirSync(folder).flatMap((task) =>
      readFileSync(`${folder}/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function namespacePids(pid: number): number[] {
  try {
    const line = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return line === undefined ? [] : line.split(/\s+/).map(Number);
  } catch {
    return [];
  }
}
