import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { DeployError } from '../errors/client-error.ts';
import type { Environment } from '../resolve/environment.ts';
import { preparedFal, prepareVirtualEnvironment } from './prepare-python.ts';

/** How to start a Python that can import `fal`. */
export interface PythonCommand {
  command: string;
  /** Put before the script. */
  args: string[];
  /** For messages: where it was found. */
  from: string;
}

const oldestMinor = 10;

/**
 * A Python with `fal`: the one asked for, the active virtual environment, the nearest `.venv` from the working directory
 * upwards, `python3` on PATH; else one that `uv` prepares (downloaded once, then cached by uv), or `pip` where there is no uv.
 * @throws DeployError `python_not_found` when there is neither such a Python nor uv, saying what was looked at.
 */
export async function findPython(
  cwd: string,
  environment: Environment,
  asked: string | undefined,
  preparing: { tell?: ((text: string) => void) | undefined; signal?: AbortSignal | undefined } = {},
): Promise<PythonCommand> {
  const looked: string[] = [];
  let usable: { command: string; version: string } | undefined;
  for (const candidate of candidates(cwd, environment, asked)) {
    const found = await inspect(candidate.command, cwd);
    if (found.hasFal) return { ...candidate, args: [] };
    if (found.version !== undefined) usable ??= { command: candidate.command, version: found.version };
    looked.push(`${candidate.command} (${candidate.from}; ${found.why})`);
    if (candidate.from === 'asked for') throw notFound(looked, 'Install fal into it: `pip install fal`.');
  }
  const uv = onPath('uv', environment);
  if (uv === undefined) {
    if (usable !== undefined) {
      const { tell = () => undefined, signal } = preparing;
      const command = await prepareVirtualEnvironment(usable.command, usable.version, environment, tell, signal);
      return { command, args: [], from: 'prepared by pip' };
    }
    const hasPython = looked.length > 0;
    throw notFound(
      looked,
      hasPython
        ? 'Apps need Python 3.10 or newer on the machine that deploys them: install one, or uv, which brings its own.'
        : 'Apps in Python need Python 3.10 or newer on the machine that deploys them: install Python or uv.',
    );
  }
  return {
    command: uv,
    args: ['run', '--quiet', '--no-project', '--with', preparedFal, '--python', '>=3.10', 'python'],
    from: 'prepared by uv',
  };
}

function candidates(
  cwd: string,
  environment: Environment,
  asked: string | undefined,
): { command: string; from: string }[] {
  if (asked !== undefined) return [{ command: asked, from: 'asked for' }];
  const found: { command: string; from: string }[] = [];
  const active = environment['VIRTUAL_ENV'];
  if (active) found.push({ command: join(active, 'bin', 'python'), from: 'VIRTUAL_ENV' });
  for (let folder = cwd; ; folder = dirname(folder)) {
    const python = join(folder, '.venv', 'bin', 'python');
    if (isExecutable(python)) {
      found.push({ command: python, from: '.venv' });
      break;
    }
    if (folder === dirname(folder)) break;
  }
  for (const name of ['python3', 'python']) {
    const python = onPath(name, environment);
    if (python !== undefined) found.push({ command: python, from: 'PATH' });
  }
  return found;
}

/** Whether an interpreter could import `fal`, without importing it. */
function inspect(python: string, cwd: string): Promise<{ hasFal: boolean; why: string; version?: string }> {
  const script =
    'import sys,importlib.util as u;print(sys.version_info[0],sys.version_info[1],int(u.find_spec("fal") is not None))';
  return new Promise((settle) => {
    execFile(python, ['-I', '-c', script], { cwd, timeout: 20_000 }, (error, stdout) => {
      if (error) return settle({ hasFal: false, why: 'cannot be started' });
      const [major, minor, hasFal] = stdout.trim().split(' ').map(Number);
      if (major !== 3 || (minor ?? 0) < oldestMinor)
        return settle({ hasFal: false, why: `is Python ${major}.${minor}` });
      settle({ hasFal: hasFal === 1, why: 'has no fal', version: `${major}.${minor}` });
    });
  });
}

function onPath(name: string, environment: Environment): string | undefined {
  return (environment['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function notFound(looked: string[], advice: string): DeployError {
  return new DeployError(
    'python_not_found',
    looked.length === 0
      ? 'There is no Python on this machine.'
      : `No Python with fal was found. Looked at ${looked.join(', ')}.`,
    { advice, details: { looked } },
  );
}
