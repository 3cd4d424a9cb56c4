/**
 * Packages as they are published: compiled, with `exports` that lead to `dist`. Inside the repository they lead to the sources,
 * because Node runs these; from `node_modules` it does not.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { bundlePackage, writeNotices } from './bundle-package.ts';
import { tidyDeclarations } from './declarations.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));

/** A file, or files by condition. */
type Target = string | { [condition: string]: Target };

interface Manifest {
  exports: Record<string, Target>;
  files?: string[];
  dependencies?: Record<string, string>;
  [name: string]: unknown;
}

/** Packages that carry their dependencies inside, and which of these they still ask for: what Node itself cannot import as a module. */
const bundled: Record<string, { external: string[] }> = { client: { external: ['ws'] } };

const notices = 'THIRD_PARTY_NOTICES.txt';

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
  const bundle = bundled[name];
  await copyShipped(source, stage, manifest, bundle ? isDeclaration : isShipped);
  const sources = sourcesOf(manifest.exports);
  await tidyDeclarations(
    join(stage, 'dist'),
    sources.map((path) => path.replace(/^\.\/src\//, '').replace(/\.ts$/, '.d.ts')),
  );
  let published = publishedManifest(manifest, bundle ? './dist/esm/' : './dist/');
  if (bundle) {
    const names = await bundlePackage({
      root,
      entries: sources.map((path) => join(source, path)),
      outDir: join(stage, 'dist/esm'),
      external: bundle.external,
    });
    await writeNotices(
      root,
      names.filter((each) => !each.startsWith('@lanner/')),
      join(stage, notices),
    );
    const kept = Object.entries(manifest.dependencies ?? {}).filter(([each]) => bundle.external.includes(each));
    published = {
      ...published,
      files: [...(manifest.files ?? []), notices],
      dependencies: Object.fromEntries(kept),
    };
  }
  await cp(join(root, 'LICENSE'), join(stage, 'LICENSE'));
  await writeFile(join(stage, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', outDir], { cwd: stage });
  await rm(stage, { recursive: true });
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  return join(outDir, packed!.filename);
}

async function copyShipped(
  source: string,
  stage: string,
  manifest: Manifest,
  isWanted: (path: string) => boolean,
): Promise<void> {
  for (const entry of new Set([...(manifest.files ?? []), 'dist'])) {
    if (!existsSync(join(source, entry))) continue;
    await cp(join(source, entry), join(stage, entry), {
      recursive: true,
      filter: async (path) => (entry === 'dist' ? isWanted(path) || (await stat(path)).isDirectory() : isShipped(path)),
    });
  }
}

/** The manifest with sources replaced by what was compiled from them. */
export function publishedManifest(manifest: Manifest, codeFolder = './dist/'): Manifest {
  const compiled = Object.entries(manifest.exports).map(([subpath, target]) => [
    subpath,
    compiledTarget(target, codeFolder),
  ]);
  // Scripts are for the repository.
  const { scripts: _scripts, ...published } = manifest;
  return { ...published, exports: Object.fromEntries(compiled) as Record<string, Target> } as Manifest;
}

function compiledTarget(target: Target, codeFolder: string): Exclude<Target, string> {
  if (typeof target !== 'string') {
    const { default: fallback, ...conditions } = target;
    const compiled = Object.entries(conditions).map(([condition, under]) => [
      condition,
      compiledTarget(under, codeFolder),
    ]);
    return { ...Object.fromEntries(compiled), ...(fallback === undefined ? {} : compiledTarget(fallback, codeFolder)) };
  }
  const base = target.replace(/^\.\/src\//, '').replace(/\.ts$/, '');
  return { types: `./dist/${base}.d.ts`, default: `${codeFolder}${base}.js` };
}

/** The source files that `exports` lead to, each once. */
function sourcesOf(target: Target | Record<string, Target>): string[] {
  if (typeof target === 'string') return [target];
  return [...new Set(Object.values(target).flatMap(sourcesOf))];
}

/** No tests, nothing of the compiler's own, no bytecode, no maps to sources that are not there. */
function isShipped(path: string): boolean {
  return !/\.test\.|\.tsbuildinfo$|__pycache__|\.d\.ts\.map$/.test(path);
}

function isDeclaration(path: string): boolean {
  return isShipped(path) && path.endsWith('.d.ts');
}
