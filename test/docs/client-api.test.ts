/** What people read about the client: every public symbol says what it is and shows it, and what it shows compiles. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { inspectApi, type ApiSymbol } from '../../scripts/api-docs/api-docs.ts';
import { toolOrReason } from '../../scripts/tool-env.ts';
import { repositoryRoot, runCommand } from '../system/platform.ts';

const sources = join(repositoryRoot, 'packages/client/src');

interface Example {
  file: string;
  line: number;
  code: string;
}

/** The code blocks below `@example`. */
function examplesOf(file: string, text: string): Example[] {
  const found: Example[] = [];
  for (const match of text.matchAll(/@example\s*\n\s*\* ```ts\n([\s\S]*?)\n\s*\* ```/g)) {
    const code = match[1]!.replaceAll(/^\s*\* ?/gm, '');
    found.push({ file, line: text.slice(0, match.index).split('\n').length, code });
  }
  return found;
}

/** A module around an example: what it mentions and does not import or declare itself is there. */
function toModule({ file, code }: Example, exported: Map<string, string[]>): string {
  if (code.includes("from '@lanner/client")) return code;
  const entry = file.startsWith('webhooks/')
    ? '@lanner/client/webhooks'
    : file.startsWith('browser')
      ? '@lanner/client/browser'
      : '@lanner/client';
  const names = new Set(exported.get(entry)!.filter((name) => new RegExp(`\\b${name}\\b`).test(code)));
  if (!entry.endsWith('webhooks')) names.add('ServerlessClient');
  const client =
    entry.endsWith('webhooks') || /\b(?:const|using) client\b/.test(code)
      ? ''
      : 'declare const client: ServerlessClient;\n';
  return `import { ${[...names].join(', ')} } from '${entry}';\n${client}${code}\nexport {};\n`;
}

/** Names that an entry exports, read from its source. */
async function exportsOf(path: string): Promise<string[]> {
  const text = await readFile(join(sources, path), 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap((match) =>
    match[1]!
      .split(',')
      .map((name) => name.replace(/^\s*(?:\/\/.*\n\s*)*type\s+/, '').trim())
      .filter((name) => /^\w+$/.test(name)),
  );
}

describe('the reference of @lanner/client', () => {
  it('shows examples that compile in a strict project', async () => {
    const examples: Example[] = [];
    for (const file of globSync('**/*.ts', { cwd: sources }).sort()) {
      if (!file.endsWith('.test.ts')) examples.push(...examplesOf(file, await readFile(join(sources, file), 'utf8')));
    }
    assert.ok(examples.length > 100, `${examples.length} examples`);
    const exported = new Map([
      ['@lanner/client', await exportsOf('index.ts')],
      ['@lanner/client/browser', await exportsOf('browser.ts')],
      ['@lanner/client/webhooks', await exportsOf('webhooks/index.ts')],
    ]);
    const folder = await mkdtemp(join(tmpdir(), 'lanner-examples-'));
    try {
      await mkdir(join(folder, 'src'));
      await symlink(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'));
      await writeFile(join(folder, 'package.json'), '{"type":"module"}');
      for (const example of examples) {
        const name = `${example.file.replaceAll('/', '_').replace(/\.ts$/, '')}_${example.line}.ts`;
        await writeFile(join(folder, 'src', name), toModule(example, exported));
      }
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        module: 'nodenext',
        target: 'es2024',
        lib: ['es2024', 'dom', 'esnext.disposable'],
        types: ['node'],
        noEmit: true,
        skipLibCheck: true,
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
      };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
      const tsc = join(repositoryRoot, 'node_modules/.bin/tsc');
      const { stdout } = await runCommand(tsc, ['-p', folder], process.env);
      const complaints = stdout.split('\n').filter((line) => line.includes('src/'));
      assert.equal(complaints.join('\n').replaceAll(`${basename(folder)}/src/`, ''), '');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('describes every public symbol and method, each with an example, and docs/api says the same', async (test) => {
    const tool = await toolOrReason('docs');
    if ('reason' in tool) return test.skip(tool.reason);
    const { symbols, outdated } = await inspectApi();
    assert.ok(symbols.length > 100, `${symbols.length} symbols`);
    const without = (isMissing: (symbol: ApiSymbol) => boolean): string[] =>
      symbols.filter(isMissing).map(({ name }) => name);
    assert.deepEqual(
      without(({ summary }) => summary === ''),
      [],
      'symbols without a word about them',
    );
    assert.deepEqual(
      without(({ hasExample }) => !hasExample),
      [],
      'symbols without an example',
    );
    assert.deepEqual(outdated, [], '`npm run docs` writes docs/api anew');
  });
});
