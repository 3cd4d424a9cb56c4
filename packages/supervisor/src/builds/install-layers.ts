import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildContext, BuildStep, RunStep } from './build-step.ts';
import { expandRequirements } from './expand-requirements.ts';
import { hideCredentials } from './hide-credentials.ts';

/**
 * What the platform adds to every environment (grpc-controller 5.3): callables are pickled against them, and `fal.App`
 * imports grpc. Part of the first layer's resolution and unpinned, so that the user's own pins win. Never `fal`.
 */
const platformRequirements = ['cloudpickle', 'dill', 'tblib', 'grpcio'];

/** A step that runs uv, which finds its cache in the store. */
export function uvStep(step: BuildStep, context: BuildContext): BuildStep {
  return {
    ...step,
    argv: [context.uvPath, ...step.argv],
    env: { ...step.env, UV_CACHE_DIR: context.cacheFolder, UV_PYTHON_DOWNLOADS: 'never' },
    binds: [...(step.binds ?? []), { source: context.uvPath, readOnly: true }],
  };
}

/**
 * Installs requirements into the tree of a build, layer by layer, and compiles them.
 * @param layers lines of requirements files, as the client sent them.
 * @param interpreters of the host that the tree's own is a link to.
 */
export async function installLayers(
  layers: readonly (readonly string[])[],
  interpreters: string[],
  run: RunStep,
  context: BuildContext,
): Promise<void> {
  for (const [index, requirements] of layers.entries()) {
    const own = expandRequirements(requirements, context.secrets);
    const lines = index === 0 ? [...platformRequirements, ...own] : own;
    if (lines.length === 0) continue;
    const file = join(context.inputFolder, `layer-${index}.txt`);
    // A requirements file instead of arguments: no requirement can become an option of uv itself.
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o644 });
    if (requirements.length > 0)
      context.onLine(`Installing requirements: ${requirements.map(hideCredentials).join(', ')}`, 'info');
    const step = {
      what: 'uv pip install',
      // Of several indexes the best version wins, as with pip: that is what requirement lists are written for.
      argv: [
        ...['pip', 'install', '--no-config', '--no-progress', '--color', 'never'],
        ...['--index-strategy', 'unsafe-best-match', '--python', join(context.tree, 'bin/python')],
        // The Python of a conda environment may be marked as conda's to manage; here the tree is the platform's.
        '--break-system-packages',
        // At each layer: uv compiles what it has just installed, and nothing can be compiled later in a tree that is only read.
        ...['--compile-bytecode', '--requirements', file],
      ],
      interpreters,
    };
    await run(uvStep(step, context));
  }
}
