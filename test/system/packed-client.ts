/** `@lanner/client` as somebody has it who installed it: packed, unpacked into a `node_modules`, beside its dependencies. */
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packPackage } from '../../scripts/pack/pack-package.ts';
import { repositoryRoot, runCommand } from './platform.ts';

interface Manifest {
  dependencies?: Record<string, string>;
}

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;

/** The packages that `@lanner/client` needs to run, with those that they need, by name. */
export async function runtimeDependencies(): Promise<string[]> {
  const found = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    for (const name of Object.keys((await readManifest(folder)).dependencies ?? {})) {
      if (found.has(name)) continue;
      found.add(name);
      await visit(join(repositoryRoot, 'node_modules', name));
    }
  };
  await visit(join(repositoryRoot, 'packages/client'));
  return [...found];
}

/**
 * Installs the packed client into `folder/node_modules`.
 * @param dependencies `link` leads to those of this repository, `copy` lays them there as npm would
 * @returns the archive of each package of ours, by its folder's name
 */
export async function installPackedClient(
  folder: string,
  dependencies: 'link' | 'copy' = 'link',
): Promise<Record<'protocol' | 'client', string>> {
  const archives = { protocol: '', client: '' };
  for (const name of ['protocol', 'client'] as const) {
    archives[name] = await packPackage(name, folder);
    const target = join(folder, 'node_modules/@lanner', name);
    await mkdir(target, { recursive: true });
    const unpacked = await runCommand(
      'tar',
      ['xzf', archives[name], '-C', target, '--strip-components=1'],
      process.env,
    );
    if (unpacked.code !== 0) throw new Error(unpacked.stderr);
  }
  for (const name of await runtimeDependencies()) {
    if (name.startsWith('@lanner/')) continue;
    const source = join(repositoryRoot, 'node_modules', name);
    const target = join(folder, 'node_modules', name);
    await mkdir(dirname(target), { recursive: true });
    if (dependencies === 'link') await symlink(source, target);
    else await cp(source, target, { recursive: true, dereference: true });
  }
  return archives;
}
