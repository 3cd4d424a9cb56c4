import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bind } from '../sandbox/exec-sandbox.ts';
import { prepareSteps, type BuildContext, type BuildStep } from './build-step.ts';
import type { CondaParts } from './conda-definition.ts';
import { buildFailed } from './definition-values.ts';
import { expandRequirements } from './expand-requirements.ts';
import type { CondaTool } from './find-conda.ts';
import { hideCredentials } from './hide-credentials.ts';
import { installLayers } from './install-layers.ts';

/**
 * Builds a conda environment in the exec sandbox: the packages by the tool, then the pip part by uv; each compiles what it installs.
 * @returns version of the Python that conda has installed, e.g. `3.11.7`.
 * @throws LannerError `build_failed` with the tool's own text. The tree is left for the caller to remove.
 */
export async function buildConda(parts: CondaParts, tool: CondaTool, context: BuildContext): Promise<string> {
  const run = await prepareSteps(context);
  // A file instead of arguments: no package becomes an option, and the list of processes shows no token.
  const file = join(context.inputFolder, 'environment.yml');
  await writeFile(file, environmentFile(parts, tool, context.secrets), { mode: 0o644 });
  context.onLine(
    `Creating the conda environment with ${tool.label}: ${parts.packages.map(hideCredentials).join(', ')} from ${parts.channels.map(hideCredentials).join(', ')}`,
    'info',
  );
  await run(createStep(tool, file, context));
  const version = pythonVersionIn(await readdir(join(context.tree, 'conda-meta')).catch(() => []));
  if (version === undefined)
    throw buildFailed(`${tool.label} ended without an error, but there is no Python in the environment.`);
  // Its interpreter is in the tree. A link that leads out of it is none of ours to follow.
  await installLayers([parts.pip], [], run, context);
  return version;
}

/** JSON, which is YAML with every string in quotes: nothing is read as a number or as true. */
function environmentFile(parts: CondaParts, tool: CondaTool, secrets: Readonly<Record<string, string>>): string {
  const channels = expandRequirements(parts.channels, secrets, 'channel');
  // conda adds the channels of its own configuration unless this is among them; micromamba takes it for a channel.
  if (tool.commandLine === 'conda') channels.push('nodefaults');
  return `${JSON.stringify({ channels, dependencies: expandRequirements(parts.packages, secrets, 'package') }, null, 2)}\n`;
}

/**
 * The command lines are those of mamba's user guide of micromamba and of conda's page of `conda env create` (ADR 28). isolate's
 * errors call both `conda create`.
 */
function createStep(tool: CondaTool, file: string, context: BuildContext): BuildStep {
  const place = ['--prefix', context.tree, '--file', file];
  const argv =
    tool.commandLine === 'micromamba'
      ? [tool.path, 'create', '--yes', '--no-rc', '--root-prefix', context.condaFolder, ...place]
      : [tool.path, 'env', 'create', '--yes', '--quiet', '--no-default-packages', ...place];
  const alias = context.buildEnv['CONDA_CHANNEL_ALIAS'] ?? context.buildEnv['MAMBA_CHANNEL_ALIAS'];
  return {
    what: 'conda create',
    argv,
    env: {
      CONDA_PKGS_DIRS: join(context.condaFolder, 'pkgs'),
      ...(alias === undefined ? {} : { CONDA_CHANNEL_ALIAS: alias, MAMBA_CHANNEL_ALIAS: alias }),
    },
    ...(tool.isInPrefix ? { interpreters: [tool.path] } : {}),
    binds: [...(tool.isInPrefix ? [] : [{ source: tool.path, readOnly: true }]), ...mirrorFolder(alias)],
  };
}

/** A folder that the operator has named as the place of all channels, for machines without a network. */
function mirrorFolder(alias: string | undefined): Bind[] {
  return alias?.startsWith('file:///') === true
    ? [{ source: fileURLToPath(alias), readOnly: true, optional: true }]
    : [];
}

/** By the name of its record, `python-3.11.7-h955ad1f_0.json`: nothing that was installed is run for it. */
function pythonVersionIn(records: readonly string[]): string | undefined {
  return records.map((name) => /^python-(3\.\d+\.\d+)[^-]*-[^-]+\.json$/.exec(name)?.[1]).find(Boolean);
}
