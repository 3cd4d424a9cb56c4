import { posix } from 'node:path';

import { packageImports, platformCommands, serverLayers } from './boundaries.ts';

export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  path: string;
  text: string;
}

const serverSource = 'packages/server/src/';
/** Tests and what only tests load may look anywhere. */
const testFile = /\.test\.ts$|\.test-support\.ts$|\.conformance\.ts$|\/testing\//;
const importPattern =
  /(?:^|[\s;}])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|[\s;(])import\s*\(?\s*['"]([^'"]+)['"]/gm;

/** Every import of these files that the tables do not allow, and every `new Date()`, one sentence each. */
export function findViolations(files: SourceFile[]): string[] {
  return files.flatMap((file) => {
    const imports = importsOf(file.text);
    return [...packageViolations(file.path, imports), ...layerViolations(file.path, imports), ...clockViolations(file)];
  });
}

/** The module names that a source imports, statically or dynamically, comments left out. */
export function importsOf(text: string): string[] {
  return [...withoutComments(text).matchAll(importPattern)].map((match) => (match[1] ?? match[2])!);
}

function packageViolations(path: string, imports: string[]): string[] {
  const own = /^packages\/([^/]+)\//.exec(path)?.[1];
  if (own === undefined || testFile.test(path)) return [];
  const allowed = packageImports[own];
  if (allowed === undefined) return [`${path}: package ${own} is not in scripts/boundaries/boundaries.ts`];
  const violations: string[] = [];
  for (const specifier of imports) {
    const target = packageOf(path, specifier);
    if (target === undefined || target === own || target.startsWith(`${own}/`)) continue;
    const name = target.split('/')[0]!;
    if (specifier.startsWith('.'))
      violations.push(`${path}: imports ${specifier} out of its package; use @lanner/${name}`);
    else if (platformCommands.test(path) && ['server', 'supervisor'].includes(name)) continue;
    else if (!allowed.includes(name) && !allowed.includes(target)) {
      violations.push(
        `${path}: ${own} may not import @lanner/${target}, only ${allowed.join(', ') || 'nothing of ours'}`,
      );
    } else if (own === 'protocol') violations.push(`${path}: protocol imports nothing of ours`);
  }
  if (own === 'protocol') {
    violations.push(
      ...imports
        .filter((name) => name.startsWith('node:'))
        .map((name) => `${path}: protocol runs in browsers, it may not import ${name}`),
    );
  }
  return violations;
}

/** `server` or `server/config` for an import of a workspace package, by name or by path. */
function packageOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('@lanner/')) return specifier.slice('@lanner/'.length);
  if (!specifier.startsWith('.')) return undefined;
  return /^packages\/([^/]+)\//.exec(posix.join(posix.dirname(path), specifier))?.[1];
}

function layerViolations(path: string, imports: string[]): string[] {
  if (!path.startsWith(serverSource) || testFile.test(path)) return [];
  const from = serverFolder(path);
  const fromLayer = layerOf(from);
  if (fromLayer < 0) return [`${path}: folder ${from} is not in scripts/boundaries/boundaries.ts`];
  const violations: string[] = [];
  for (const specifier of imports) {
    if (!specifier.startsWith('.')) continue;
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith(serverSource)) continue;
    if (testFile.test(target)) violations.push(`${path}: imports ${specifier}, which only tests may load`);
    const to = serverFolder(target);
    if (layerOf(to) > fromLayer)
      violations.push(`${path}: ${from} may not import from ${to === '.' ? 'the wiring' : to} (${specifier})`);
  }
  return violations;
}

function serverFolder(path: string): string {
  const rest = path.slice(serverSource.length);
  return rest.includes('/') ? rest.split('/')[0]! : '.';
}

function layerOf(folder: string): number {
  return serverLayers.findIndex((layer) => layer.includes(folder));
}

/** oxlint forbids `Date.now()`; it has no rule for `new Date()`, which reads the same clock. */
function clockViolations({ path, text }: SourceFile): string[] {
  if (!/^packages\/(server|supervisor)\/src\//.test(path) || testFile.test(path)) return [];
  return /\bnew Date\(\s*\)|\bDate\(\s*\)/.test(withoutComments(text))
    ? [`${path}: new Date() reads the time; take it from the Clock`]
    : [];
}

/** Comments become spaces; strings are read over, so that a `/*` or `//` inside one is no comment. */
function withoutComments(text: string): string {
  const stringOrComment = /(['"`])(?:\\.|(?!\1)[^\\\n])*\1|\/\*[^]*?\*\/|\/\/.*$/gm;
  return text.replace(stringOrComment, (found, quote: string | undefined) => (quote === undefined ? ' ' : found));
}
