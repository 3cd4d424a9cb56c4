import { realpath, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { LannerError } from '@lanner/protocol';
import { isExecutable } from '../lib/is-executable.ts';
import { askProgram } from '../lib/run-program.ts';

/** A program of this machine that builds conda environments. */
export interface CondaTool {
  /** Absolute, without symbolic links. */
  path: string;
  /** Whose command line it has: micromamba's (mamba has the same since 2.0), or conda's. */
  commandLine: 'micromamba' | 'conda';
  /** e.g. `micromamba 2.0.5`, for the log. */
  label: string;
  /** True when it is part of a conda installation, from which it takes libraries or its Python; else it stands alone. */
  isInPrefix: boolean;
}

/**
 * Finds micromamba, mamba or conda, in this order: each by the variable that their shell hooks set (`MAMBA_EXE`, `CONDA_EXE`), then
 * on PATH. Looked for anew at every build, since people install one after being told that it is missing.
 * @param hostEnv PATH, HOME, MAMBA_EXE, CONDA_EXE.
 * @throws LannerError `build_failed` that says what to install.
 */
export async function findConda(hostEnv: Record<string, string>, signal: AbortSignal): Promise<CondaTool> {
  const unusable: string[] = [];
  for (const path of candidates(hostEnv)) {
    if (!(await isExecutable(path))) continue;
    const tool = await inspect(path, hostEnv, signal);
    if (tool !== undefined) return tool;
    unusable.push(path);
  }
  throw new LannerError(
    'build_failed',
    'This machine has no micromamba, mamba (2.0 or later) or conda, which environments of kind conda are built with. ' +
      `${unusable.length === 0 ? '' : `Found, but of no use: ${unusable.join(', ')}. `}` +
      'Install micromamba, a single program, on the PATH of the platform (or name it in MAMBA_EXE) and try again. ' +
      'Or use kind virtualenv and name the packages as requirements: most of them are on PyPI too.',
  );
}

function candidates(hostEnv: Record<string, string>): string[] {
  const folders = (hostEnv['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const onPath = (name: string): string[] => folders.map((folder) => join(folder, name));
  const named = (name: string): string[] => (hostEnv[name]?.startsWith('/') === true ? [hostEnv[name]] : []);
  return [
    ...named('MAMBA_EXE'),
    ...onPath('micromamba'),
    ...onPath('mamba'),
    ...named('CONDA_EXE'),
    ...onPath('conda'),
  ];
}

async function inspect(
  path: string,
  hostEnv: Record<string, string>,
  signal: AbortSignal,
): Promise<CondaTool | undefined> {
  const lines = await askProgram({ program: path, args: ['--version'], env: hostEnv, signal });
  const kind = lines && readVersion(lines[0] ?? '', basename(path));
  if (kind === undefined) return undefined;
  const real = await realpath(path);
  const isInPrefix = await stat(join(dirname(dirname(real)), 'conda-meta')).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  return { ...kind, path: real, isInPrefix };
}

/**
 * What the first line of `--version` tells: `2.0.5` is micromamba or mamba, `conda 24.1.0` is conda.
 * @param program its name, for a line that does not tell one.
 * @returns undefined for anything else, and for a mamba before 2.0 (`mamba 1.5.8`): a script on top of a conda, which is then found too.
 */
export function readVersion(line: string, program: string): Pick<CondaTool, 'commandLine' | 'label'> | undefined {
  const found = /^(?:(conda|mamba|micromamba) )?((\d+)\.\d+\S*)$/.exec(line.trim());
  if (found === null) return undefined;
  const [, name = program, version, major] = found;
  if (name === 'mamba' && Number(major) < 2) return undefined;
  return { commandLine: name === 'conda' ? 'conda' : 'micromamba', label: `${name} ${version}` };
}
