/**
 * The reference of @lanner/client in docs/api, made from its sources by TypeDoc: `npm run docs` writes it. TypeDoc and the
 * TypeScript it needs come with the tools, because TypeScript 7 has no API for it.
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ensureTool } from '../tool-env.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
const docsFolder = join(root, 'docs/api');

const options = {
  name: '@lanner/client',
  entryPoints: ['src/index.ts', 'src/browser.ts', 'src/webhooks/index.ts'].map((path) =>
    join(root, 'packages/client', path),
  ),
  tsconfig: join(root, 'packages/client/tsconfig.json'),
  readme: 'none',
  plugin: ['typedoc-plugin-markdown'],
  router: 'member',
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeExternals: true,
  sort: ['alphabetical'],
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  githubPages: false,
  logLevel: 'Error',
};

/** One thing that people can import, or a method of one. */
export interface ApiSymbol {
  /** `entry.Symbol` or `entry.Class.method`. */
  name: string;
  summary: string;
  hasExample: boolean;
}

interface Comment {
  summary?: { text: string }[];
  blockTags?: { tag: string }[];
}

/** As TypeDoc writes it. */
interface Reflection {
  name: string;
  variant?: string;
  comment?: Comment;
  children?: Reflection[];
  signatures?: Reflection[];
  inheritedFrom?: unknown;
  type?: { declaration?: Reflection };
}

/** Writes docs/api. */
export async function writeApiDocs(): Promise<void> {
  await withGenerated(async (folder) => {
    await rm(docsFolder, { recursive: true, force: true });
    await cp(folder, docsFolder, { recursive: true });
  });
}

/**
 * Everything public with what is said about it, and the files of docs/api that are not what would be written now; from one
 * run of TypeDoc, which takes its seconds.
 */
export async function inspectApi(): Promise<{ symbols: ApiSymbol[]; outdated: string[] }> {
  return withGenerated(async (folder, project) => {
    const [wanted, found] = [await readFolder(folder), await readFolder(docsFolder)];
    const paths = new Set([...wanted.keys(), ...found.keys()]);
    return {
      symbols: (project.children ?? []).flatMap((entry) =>
        (entry.children ?? []).filter(isDeclared).flatMap((symbol) => symbolsOf(entry.name, symbol)),
      ),
      outdated: [...paths].filter((path) => wanted.get(path) !== found.get(path)).sort(),
    };
  });
}

async function readFolder(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return new Map(files.map((file, index) => [file.slice(folder.length + 1), texts[index]!]));
}

const isDeclared = (reflection: Reflection): boolean => reflection.variant !== 'reference';

function symbolsOf(entry: string, symbol: Reflection): ApiSymbol[] {
  const name = `${entry}.${symbol.name}`;
  const methods = (symbol.children ?? []).filter(
    (child) => child.signatures !== undefined && child.name !== 'constructor' && child.inheritedFrom === undefined,
  );
  return [
    toSymbol(
      name,
      symbol.comment ?? symbol.signatures?.[0]?.comment ?? symbol.type?.declaration?.signatures?.[0]?.comment,
    ),
    ...methods.map((method) => toSymbol(`${name}.${method.name}`, method.signatures?.[0]?.comment)),
  ];
}

function toSymbol(name: string, comment: Comment | undefined): ApiSymbol {
  return {
    name,
    summary: (comment?.summary ?? [])
      .map(({ text }) => text)
      .join('')
      .trim(),
    hasExample: comment?.blockTags?.some(({ tag }) => tag === '@example') ?? false,
  };
}

async function withGenerated<T>(use: (folder: string, project: Reflection) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-api-'));
  try {
    await typedoc(folder, ['--out', join(folder, 'out'), '--json', join(folder, 'api.json')]);
    const project = JSON.parse(await readFile(join(folder, 'api.json'), 'utf8')) as Reflection;
    return await use(join(folder, 'out'), project);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function typedoc(folder: string, args: string[]): Promise<void> {
  const tool = await ensureTool('docs');
  const optionsPath = join(folder, 'typedoc.json');
  await writeFile(optionsPath, JSON.stringify(options));
  // Plugins are looked up from the folder it runs in.
  await run(process.execPath, ['node_modules/typedoc/bin/typedoc', '--options', optionsPath, ...args], { cwd: tool });
}
