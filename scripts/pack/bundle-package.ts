/**
 * The compiled code of a package together with the code it depends on, so that an installation is one small folder: of the
 * packages below @lanner/client most files are for other module systems than ours.
 */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ensureTool } from '../tool-env.ts';

/** The part of esbuild that is used here; it comes with the tools, not with the repository. */
interface Esbuild {
  build(options: Record<string, unknown>): Promise<{ metafile: { inputs: Record<string, unknown> } }>;
  /** Ends its process, which would keep ours alive. */
  stop(): Promise<void>;
}

export interface BundleOptions {
  root: string;
  /** Absolute paths of the sources that `exports` lead to. */
  entries: string[];
  outDir: string;
  /** Dependencies that stay dependencies. */
  external: string[];
}

/** Writes one module per entry, with chunks for what several need, and maps that hold the sources. @returns names of the packages inside. */
export async function bundlePackage({ root, entries, outDir, external }: BundleOptions): Promise<string[]> {
  const tool = createRequire(join(await ensureTool('publish'), 'package.json'));
  const esbuild = tool('esbuild') as Esbuild;
  const building = esbuild.build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: outDir,
    bundle: true,
    splitting: true,
    // Beside the entries: code that looks for a file of the package counts folders from where it is.
    chunkNames: '[hash]',
    format: 'esm',
    target: 'node20',
    // Not `node`: that would make every import of a built-in module look fine to the entry for browsers as well.
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['node', 'module'],
    external: [...external, 'node:*', ...builtIns],
    treeShaking: true,
    keepNames: false,
    sourcemap: true,
    sourcesContent: true,
    metafile: true,
    logLevel: 'error',
  });
  const { metafile } = await building.finally(() => esbuild.stop());
  const names = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  return [...new Set(names)].sort();
}

/** Built-in modules as some packages name them, without `node:`. */
const builtIns = ['crypto', 'fs', 'http', 'http2', 'https', 'stream', 'tls', 'url', 'util', 'zlib'];

/** Names, licences and licence texts of what is inside, as their authors ask for. */
export async function writeNotices(root: string, names: string[], path: string): Promise<void> {
  const sections = [];
  for (const name of names) {
    const folder = join(root, 'node_modules', name);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    sections.push(
      [`${name} ${manifest['version']} (${manifest['license']})`, ...texts.map((text) => text.trim())].join('\n\n'),
    );
  }
  await writeFile(
    path,
    `This package contains code of these packages:\n\n${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
  );
}
