import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DeployError } from '../errors/client-error.ts';
import type { Environment } from '../resolve/environment.ts';

/** The `fal` that is prepared where a project has none. */
export const preparedFal = 'fal>=1.83,<2';

const mostKeptOutput = 8192;

/**
 * A virtual environment with `fal`, made once per version of Python in the user's cache folder (`XDG_CACHE_HOME`, else
 * `~/.cache`), for machines that have a Python but no uv.
 * @param version e.g. `3.11`
 * @param tell told before it takes long
 * @returns its interpreter
 * @throws DeployError `python_preparation_failed` with the last lines of pip
 */
export async function prepareVirtualEnvironment(
  python: string,
  version: string,
  environment: Environment,
  tell: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  const cache = environment['XDG_CACHE_HOME'] || join(environment['HOME'] || homedir(), '.cache');
  const folder = join(cache, 'lanner', `python-${version}-${preparedFal.replaceAll(/[^\d.]+/g, '-')}`);
  const interpreter = join(folder, 'bin', 'python');
  if (existsSync(join(folder, '.complete'))) return interpreter;
  tell(`No Python with fal was found: preparing one in ${folder}, once.\n`);
  // Made beside its place: a half-made one is never found, and of two at once one stays.
  const draft = `${folder}.${process.pid}`;
  try {
    await mkdir(join(cache, 'lanner'), { recursive: true });
    await run(python, ['-m', 'venv', draft], environment, signal);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', preparedFal];
    await run(join(draft, 'bin', 'python'), pip, environment, signal);
    await writeFile(join(draft, '.complete'), '');
    await rename(draft, folder).catch((error: unknown) => {
      if (!existsSync(join(folder, '.complete'))) throw error;
    });
    return interpreter;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function run(
  command: string,
  args: string[],
  environment: Environment,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal ? { signal } : {}),
    });
    let printed = '';
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-mostKeptOutput)));
    }
    const fail = (cause: unknown): void =>
      reject(
        new DeployError('python_preparation_failed', `A Python with fal could not be prepared: ${lastLine(printed)}`, {
          cause,
          advice: 'Install fal into the Python of your project (`pip install fal`), or install uv.',
          details: { output: printed },
        }),
      );
    child.once('error', fail);
    child.once('close', (code) => (code === 0 ? resolve() : fail(undefined)));
  });
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) || 'it said nothing.';
