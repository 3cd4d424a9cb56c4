import { readdir, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { LannerError } from '@lanner/protocol';
import { askProgram } from '../lib/run-program.ts';
import { oldestPythonMinor } from './definition-values.ts';

/** A Python on this machine, a real interpreter and no wrapper script. */
export interface PythonInterpreter {
  path: string;
  /** e.g. `3.11.7` */
  version: string;
}

/**
 * The interpreter for a version: on PATH, of pyenv, or one that uv manages. `3.11` takes the first 3.11.x in that order;
 * no version takes the first that is usable. Looked for anew at every call, since people install one after being told
 * that it is missing.
 * @param hostEnv PATH, HOME, PYENV_ROOT.
 * @throws LannerError `build_failed` that names the versions this machine has.
 */
export async function findPython(
  version: string | undefined,
  hostEnv: Record<string, string>,
  signal: AbortSignal,
): Promise<PythonInterpreter> {
  const candidates = [...(await onPath(hostEnv['PATH'] ?? '')), ...(await inVersionFolders(hostEnv))];
  for (const path of candidates.filter((each) => mayBe(each, version))) {
    const python = await inspect(path, hostEnv, signal);
    if (python !== undefined && isUsable(python) && isVersion(python, version)) return python;
  }
  const all = await Promise.all(candidates.map((path) => inspect(path, hostEnv, signal)));
  const usable = all.filter((python) => python !== undefined && isUsable(python)).map((python) => python!.version);
  const versions = [...new Set(usable)].sort(compareVersions).join(', ');
  throw new LannerError(
    'build_failed',
    `Python ${version ?? '3'} is not installed on this machine. Installed: ${versions === '' ? 'none that is 3.10 or later' : versions}.`,
  );
}

/** False when the name of a program or of its folder tells another version: it need not be started to know. */
function mayBe(path: string, version: string | undefined): boolean {
  const told = /python(3\.\d+)$/.exec(path)?.[1] ?? /\/(?:cpython-)?(3\.\d+)[^/]*\/bin\/python3$/.exec(path)?.[1];
  return version === undefined || told === undefined || version === told || version.startsWith(`${told}.`);
}

function isVersion(python: PythonInterpreter, version: string | undefined): boolean {
  return version === undefined || python.version === version || python.version.startsWith(`${version}.`);
}

function isUsable(python: PythonInterpreter): boolean {
  return Number(python.version.split('.')[1]) >= oldestPythonMinor;
}

async function onPath(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of new Set(path.split(delimiter))) {
    if (folder === '') continue;
    const names = await readdir(folder).catch(() => []);
    // Sorted, so `python3` comes before `python3.12`: what the user calls python3 is the default.
    for (const name of names.sort(compareVersions)) if (/^python3(\.\d+)?$/.test(name)) found.push(join(folder, name));
  }
  return found;
}

async function inVersionFolders(hostEnv: Record<string, string>): Promise<string[]> {
  const home = hostEnv['HOME'];
  const folders = [
    hostEnv['PYENV_ROOT'] === undefined ? undefined : join(hostEnv['PYENV_ROOT'], 'versions'),
    home === undefined ? undefined : join(home, '.pyenv/versions'),
    home === undefined ? undefined : join(home, '.local/share/uv/python'),
  ];
  const found: string[] = [];
  for (const folder of folders) {
    if (folder === undefined) continue;
    for (const name of await readdir(folder).catch(() => [])) {
      if (/^(cpython-)?3\.\d+/.test(name)) found.push(join(folder, name, 'bin/python3'));
    }
  }
  return found;
}

async function inspect(
  path: string,
  hostEnv: Record<string, string>,
  signal: AbortSignal,
): Promise<PythonInterpreter | undefined> {
  const args = ['-I', '-S', '-c', 'import sys; print(sys.executable); print(*sys.version_info[:3], sep=".")'];
  const [executable, version] = (await askProgram({ program: path, args, env: hostEnv, signal })) ?? [];
  if (executable === undefined || version === undefined) return undefined;
  return { path: await realpath(executable).catch(() => executable), version };
}

function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}
