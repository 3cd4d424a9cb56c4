import { delimiter, join } from 'node:path';
import { accountUid, LannerError, type SupervisorStatus } from '@lanner/protocol';
import { isExecutable } from '../lib/is-executable.ts';
import { runProgram } from '../lib/run-program.ts';
import { probePath } from './exec-sandbox.ts';

/** What this machine allows, found once at start. */
export interface Isolation {
  level: SupervisorStatus['isolation']['level'];
  reason: string;
  /** Accounts run under uids of their own. */
  hasOwnUids: boolean;
  /** Whose sockets get their runner's own address: every program's, or Python's alone. */
  addresses: 'kernel' | 'python';
  /** Why only Python's; empty otherwise. */
  addressesReason: string;
  /** The supervisor's Python, a real interpreter and no wrapper script. */
  pythonPath: string;
}

/**
 * Finds `python3` on PATH and asks sandbox.py what isolation is possible.
 * @param hostEnv PATH, and what wrapper scripts of Python need (HOME, PYENV_ROOT).
 * @throws LannerError `config_invalid` when there is no Python ≥ 3.10.
 */
export async function probeIsolation(hostEnv: Record<string, string>, signal?: AbortSignal): Promise<Isolation> {
  for (const folder of (hostEnv['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const program = join(folder, 'python3');
    if (!(await isExecutable(program))) continue;
    const isolation = await probeWith(program, hostEnv, signal);
    if (isolation !== undefined) return isolation;
  }
  throw new LannerError(
    'config_invalid',
    'No python3 of version 3.10 or later is on PATH. Install Python to run apps.',
  );
}

/** The uid (and gid) for an account's programs, or nothing where the supervisor's own is used. */
export function identityOf(isolation: Isolation, accountOrdinal: number): { uid: number; gid: number } | undefined {
  if (!isolation.hasOwnUids || isolation.level !== 'namespaces') return undefined;
  const uid = accountUid(accountOrdinal);
  return { uid, gid: uid };
}

interface ProbeAnswer {
  level?: string;
  reason?: string;
  ownUid?: boolean;
  addresses?: string;
  addressesReason?: string;
}

function parseProbe(lines: readonly string[]): Omit<Isolation, 'pythonPath'> | undefined {
  for (const line of lines.toReversed()) {
    try {
      const value = JSON.parse(line) as ProbeAnswer;
      if (value.level !== 'namespaces' && value.level !== 'process-group') continue;
      return {
        level: value.level,
        reason: value.reason ?? '',
        hasOwnUids: value.ownUid === true,
        addresses: value.addresses === 'kernel' ? 'kernel' : 'python',
        addressesReason: value.addressesReason ?? '',
      };
    } catch {
      continue;
    }
  }
  return undefined;
}

/**
 * A pyenv shim is a shell script that needs PATH and costs 50 ms each time: the probe tells the real interpreter as well.
 * @returns undefined when this is no usable Python.
 */
async function probeWith(
  program: string,
  hostEnv: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Isolation | undefined> {
  const output: string[] = [];
  const errors: string[] = [];
  const end = await runProgram({
    program,
    // -S: what is installed beside this Python does not matter, and loading it takes longer than the probe.
    args: ['-I', '-S', '-c', probeProgram, probePath],
    env: hostEnv,
    onLine: (line, stream) => (stream === 'stdout' ? output : errors).push(line),
    ...(signal === undefined ? {} : { signal }),
  }).catch(() => undefined);
  const [pythonPath] = output;
  if (pythonPath === undefined || !pythonPath.startsWith('/') || end === undefined) return undefined;
  const answer = parseProbe(output);
  if (end.code === 0 && answer !== undefined) return { ...answer, pythonPath };
  const reason = `The sandbox probe failed: ${errors.at(-1) ?? `exit status ${end.code ?? end.signal}`}.`;
  return {
    level: 'process-group',
    reason,
    hasOwnUids: false,
    addresses: 'python',
    addressesReason: reason,
    pythonPath,
  };
}

const probeProgram = [
  'import runpy, sys',
  'if sys.version_info < (3, 10): sys.exit(1)',
  'print(sys.executable, flush=True)',
  'sys.argv = [sys.argv[1], "--probe"]',
  'runpy.run_path(sys.argv[0], run_name="__main__")',
].join('\n');
