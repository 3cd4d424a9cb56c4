import { readFileSync } from 'node:fs';
import { descendantsOf } from '../zygotes/host-pid.ts';

/** Processes below `pid` whose command line contains `text`. */
export function pidsRunning(pid: number, text: string): number[] {
  return descendantsOf(pid).filter((each) => commandLine(each).includes(text));
}

/** True while a process exists and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
  } catch {
    return false;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
