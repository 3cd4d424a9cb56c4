/**
 * Packages as they are published: compiled, with `exports` that lead to `dist`. Inside the repository they lead to the sources,
 * because Node runs these; from `node_modules` it does not.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));

/** A file, or files by condition. */
type Target = string | { [condition: string]: Target };

interface Manifest {
  exports: Record<string, Target>;
  files?: string[];
  [name: string]: unknown;
}

/**
 * Compiles `packages/<name>` and packs it.
 * @param outDir folder for the archive; a staging folder is made and removed there
 * @returns path of the archive
 */
export async function packPackage(name: string, outDir: string): Promise<string> {
  const source = join(root, 'packages', name);
  await run(join(root, 'node_modules/.bin/tsc'), ['-b', source]);
  const stage = join(outDir, `stage-${name}`);
  await mkdir(stage, { recursive: true });
  const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as Manifest;
  const folders = new Set([...(manifest.files ?? []), 'dist']);
  for (const entry of folders) {
    if (existsSync(join(source, entry)))
      await cp(join(source, entry), join(stage, entry), { recursive: true, filter: isShipped });
  }
  await cp(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  await writeFile(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', outDir], { cwd: stage });
  await rm(stage, { recursive: true });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return join(outDir, packed!.filename);
}

/** The manifest with sources replaced by what was compiled from them. */
export function publishedManifest(manifest: Manifest): Manifest {
  const compiled = Object.entries(manifest.exports).map(([subpath, target]) => [subpath, compiledTarget(target)]);
  return { ...manifest, exports: Object.fromEntries(compiled) as Record<string, Target> };
}

function compiledTarget(target: Target): Exclude<Target, string> {
  if (typeof target !== 'string') {
    const { default: fallback, ...conditions } = target;
    const compiled = Object.entries(conditions).map(([condition, under]) => [condition, compiledTarget(under)]);
    return { ...Object.fromEntries(compiled), ...(fallback === undefined ? {} : compiledTarget(fallback)) };
  }
  const base = target.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '');
  return { types: `${base}.d.ts`, default: `${base}.js` };
}

/** No tests, nothing of the compiler's own, no bytecode. */
function isShipped(path: string): boolean {
  return !/\.test\.|\.tsbuildinfo$|__pycache__/.test(path);
}
