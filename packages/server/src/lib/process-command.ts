import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The command line of a living process, or null when there is none; a zombie that nobody has collected is not alive. */
export function processCommand(pid: number): string | null {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

/** Whether a pid surely is the supervisor of a data folder (absolute path): the number may be another process's by now. */
export function isSupervisorOf(pid: number, dataDir: string): boolean {
  const command = processCommand(pid);
  return command !== null && command.includes('supervisor') && command.endsWith(`--data-dir ${dataDir}`);
}

/** Small Linux images have no `ps`. */
function fromProc(pid: number): string | null {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the name in parentheses may hold anything, so the state is looked for after the last of them
    if (status.slice(status.lastIndexOf(')') + 2).startsWith('Z')) return null;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return null;
  }
}

function fromPs(pid: number): string | null {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,command=', '-p', String(pid)], { encoding: 'utf8' });
  const line = stdout?.trim() ?? '';
  return line === '' || line.startsWith('Z') ? null : line.replace(/^\S+\s+/, '');
}
