import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LannerError, type SupervisorStatus } from '@lanner/protocol';
import { runProgram } from '../lib/run-program.ts';
import { accountUid, probePath } from './exec-sandbox.ts';

/** What this machine allows, found once at start. */
export interface Isolation {
  level: SupervisorStatus['isolation']['level'];
  reason: string;
  /** Accounts run under uids of their own. */
  hasOwnUids: boolean;
  /** The supervisor's Python, a real interpreter and no wrapper script. */
  pythonPath: string;
}

/**
 * Finds `python3` on PATH and asks sandbox.py what isolation is possible.
 * @param hostEnv PATH, and what wrapper scripts of Python need (HOME, PYENV_ROOT).
 * @throws LannerError `config_invalid` when there is no Python ≥ 3.10.
 */
export async function probeIsolation(hostEnv: Record<string, string>, signal?: AbortSignal): Promise<Isolation> {
  const pythonPath = await findSupervisorPython(hostEnv, signal);
  const lines: string[] = [];
  const end = await runProgram({
    program: pythonPath,
    args: ['-I', probePath, '--probe'],
    env: {},
    onLine: (line) => lines.push(line),
    ...(signal === undefined ? {} : { signal }),
  });
  const answer = parseProbe(lines);
  if (end.code !== 0 || answer === undefined) {
    const reason = `The sandbox probe failed: ${lines.at(-1) ?? `exit status ${end.code ?? end.signal}`}.`;
    return { level: 'process-group', reason, hasOwnUids: false, pythonPath };
  }
  return { ...answer, pythonPath };
}

/** The uid (and gid) for an account's programs, or nothing where the supervisor's own is used. */
export function identityOf(isolation: Isolation, accountOrdinal: number): { uid: number; gid: number } | undefined {
  if (!isolation.hasOwnUids || isolation.level !== 'namespaces') return undefined;
  const uid = accountUid(accountOrdinal);
  return { uid, gid: uid };
}

function parseProbe(lines: readonly string[]): Omit<Isolation, 'pythonPath'> | undefined {
  for (const line of lines.toReversed()) {
    try {
      const value = JSON.parse(line) as { level?: string; reason?: string; ownUid?: boolean };
      if (value.level !== 'namespaces' && value.level !== 'process-group') continue;
      return { level: value.level, reason: value.reason ?? '', hasOwnUids: value.ownUid === true };
    } catch {
      continue;
    }
  }
  return undefined;
}

async function findSupervisorPython(
  hostEnv: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<string> {
  for (const folder of (hostEnv['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const program = join(folder, 'python3');
    if (!(await isExecutable(program))) continue;
    const lines: string[] = [];
    // A pyenv shim is a shell script that needs PATH and costs 50 ms each time: ask it once for the real interpreter.
    const end = await runProgram({
      program,
      args: ['-I', '-c', 'import sys; print(sys.executable); print(sys.version_info >= (3, 10))'],
      env: hostEnv,
      onLine: (line, stream) => stream === 'stdout' && lines.push(line),
      ...(signal === undefined ? {} : { signal }),
    }).catch(() => undefined);
    if (end?.code === 0 && lines[0] !== undefined && lines[1] === 'True') return lines[0];
  }
  throw new LannerError('config_invalid', 'No python3 of version 3.10 or later is on PATH. Install Python to run apps.');
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
