import { prepareSteps, type BuildContext } from './build-step.ts';
import type { PythonInterpreter } from './find-python.ts';
import { installLayers, uvStep } from './install-layers.ts';

/**
 * Builds a virtual environment in the exec sandbox: create, then install and compile layer by layer.
 * @param layers requirement lines, as the client sent them.
 * @throws LannerError `build_failed` with the resolver's own text. The tree is left for the caller to remove.
 */
export async function buildVirtualenv(
  layers: readonly (readonly string[])[],
  python: PythonInterpreter,
  context: BuildContext,
): Promise<void> {
  const run = await prepareSteps(context);
  const interpreters = [python.path];
  const create = {
    what: 'uv venv',
    argv: [
      ...['venv', '--quiet', '--no-project', '--no-config'],
      ...['--python', python.path, '--prompt', 'app', context.tree],
    ],
    interpreters,
  };
  await run(uvStep(create, context));
  await installLayers(layers, interpreters, run, context);
}
