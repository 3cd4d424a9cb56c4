/** `@lanner/client` as somebody has it who installed it: packed, unpacked into a `node_modules`, beside its dependencies. */
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packPackage } from '../../scripts/pack/pack-package.ts';
import { repositoryRoot, runCommand } from './platform.ts';

interface Manifest {
  dependencies?: Record<string, string>;
}

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;

/**
 * Installs the packed client into `folder/node_modules`, with copies of the packages it depends on: what npm would lay there.
 * @returns the archive
 */
export async function installPackedClient(folder: string): Promise<string> {
  const archive = await packPackage('client', folder);
  const target = join(folder, 'node_modules/@lanner/client');
  await mkdir(target, { recursive: true });
  const unpacked = await runCommand('tar', ['xzf', archive, '-C', target, '--strip-components=1'], process.env);
  if (unpacked.code !== 0) throw new Error(unpacked.stderr);
  const installed = new Set<string>();
  const installDependencies = async (of: string): Promise<void> => {
    for (const name of Object.keys((await readManifest(of)).dependencies ?? {})) {
      if (installed.has(name)) continue;
      installed.add(name);
      const source = join(repositoryRoot, 'node_modules', name);
      await cp(source, join(folder, 'node_modules', name), { recursive: true, dereference: true });
      await installDependencies(source);
    }
  };
  await installDependencies(target);
  return archive;
}
