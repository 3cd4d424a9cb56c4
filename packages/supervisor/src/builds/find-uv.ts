import { randomUUID } from 'node:crypto';
import { mkdir, realpath, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LannerError } from '@lanner/protocol';
import { isExecutable } from '../lib/is-executable.ts';
import { askProgram, runProgram } from '../lib/run-program.ts';

export interface FindUvOptions {
  /** PATH, HOME and what pip needs to reach its index. */
  hostEnv: Record<string, string>;
  /** Where it is installed when PATH has none, e.g. `<data folder>/tools`. */
  toolsFolder: string;
  pythonPath: string;
  onLine(line: string): void;
  signal: AbortSignal;
}

/**
 * The `uv` program: from PATH, else the one installed before, else installed from PyPI now (once).
 * @returns an absolute path without symbolic links.
 * @throws LannerError `build_failed` with pip's own text when it cannot be installed.
 */
export async function findUv(options: FindUvOptions): Promise<string> {
  for (const folder of (options.hostEnv['PATH'] ?? '').split(delimiter)) {
    const path = await executable(folder === '' ? undefined : join(folder, 'uv'));
    // A script of that name (a pyenv shim) would not work inside the sandbox.
    if (path !== undefined && (await isWorking(path, options))) return path;
  }
  const target = join(options.toolsFolder, 'uv');
  return (await executable(join(target, 'bin/uv'))) ?? (await install(target, options));
}

async function install(target: string, options: FindUvOptions): Promise<string> {
  options.onLine('uv is not on PATH: installing it from PyPI.');
  await mkdir(options.toolsFolder, { recursive: true, mode: 0o700 });
  const partial = `${target}.${randomUUID().slice(0, 8)}`;
  await run(['-m', 'venv', partial], options.pythonPath, options);
  await run(
    ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', 'uv'],
    join(partial, 'bin/python'),
    options,
  );
  // The moved venv no longer works as one, but uv is a single binary. Somebody else may have been quicker.
  await rename(partial, target).catch(() => rm(partial, { recursive: true, force: true }));
  return realpath(join(target, 'bin/uv'));
}

async function run(args: string[], program: string, options: FindUvOptions): Promise<void> {
  const lines: string[] = [];
  const end = await runProgram({
    program,
    args,
    env: options.hostEnv,
    onLine: (line) => {
      lines.push(line);
      options.onLine(line);
    },
    signal: options.signal,
  });
  if (end.code === 0) return;
  throw new LannerError(
    'build_failed',
    `uv is not on PATH and could not be installed from PyPI: ${lines.slice(-5).join(' ') || `exit status ${end.code}`}`,
  );
}

async function executable(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return (await isExecutable(path)) ? realpath(path) : undefined;
}

async function isWorking(path: string, options: FindUvOptions): Promise<boolean> {
  return (await askProgram({ program: path, args: ['--version'], env: {}, signal: options.signal })) !== undefined;
}
