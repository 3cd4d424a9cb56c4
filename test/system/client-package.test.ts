/** `@lanner/client` as somebody installs it: packed, unpacked elsewhere, judged by the tools that judge packages, used by a strict project. */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { toolOrReason } from '../../scripts/tool-env.ts';
import { completionsAt } from './complete.ts';
import { installPackedClient } from './packed-client.ts';
import { repositoryRoot, runCommand } from './platform.ts';

/** Largest installation, dependencies included, as a disk counts it (blocks of 4 KiB). */
const installedBudgetBytes = 6 * 1000 * 1000;

describe('the package @lanner/client', () => {
  let folder: string;
  let archive: string;
  const installed = (): string => join(folder, 'node_modules/@lanner/client');
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-consumer-'));
    archive = await installPackedClient(folder);
    await cp(join(repositoryRoot, 'test/system/consumer'), folder, { recursive: true });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('holds compiled code with its maps, declarations, the loader and licences, and nothing else', async () => {
    const files = await readdir(installed(), { recursive: true });
    for (const wanted of [
      'dist/index.d.ts',
      'dist/browser.d.ts',
      'dist/esm/index.js',
      'dist/esm/browser.js',
      'python/lanner_loader.py',
      'README.md',
      'LICENSE',
      'THIRD_PARTY_NOTICES.txt',
    ]) {
      assert.ok(files.includes(wanted), wanted);
    }
    assert.deepEqual(
      files.filter((file) => /\.test\.|__pycache__|tsbuildinfo|(?<!\.d)\.ts$|\.d\.ts\.map$/.test(file)),
      [],
    );
    for (const file of files.filter((each) => each.endsWith('.js'))) {
      const map = JSON.parse(await readFile(join(installed(), `${file}.map`), 'utf8')) as { sourcesContent: string[] };
      assert.ok(map.sourcesContent.length > 0, `the map of ${file} holds its sources`);
    }
  });

  it(`takes less than 6 MB installed, dependencies included`, async (test) => {
    const modules = join(folder, 'node_modules');
    let bytes = 0;
    for (const entry of await readdir(modules, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
    }
    test.diagnostic(`${(bytes / 1e6).toFixed(2)} MB`);
    assert.ok(bytes < installedBudgetBytes, `${bytes} bytes`);
  });

  it('has nothing that publint or are-the-types-wrong object to', async (test) => {
    const tool = await toolOrReason('publish');
    if ('reason' in tool) return test.skip(tool.reason);
    const load = async (name: string): Promise<unknown> =>
      import(pathToFileURL(createRequire(join(tool.folder, 'package.json')).resolve(name)).href);
    const { publint } = (await load('publint')) as {
      publint(options: object): Promise<{ messages: { code: string; type: string; path: string[] }[] }>;
    };
    const { messages } = await publint({ pkgDir: installed(), level: 'suggestion', strict: true });
    assert.deepEqual(messages, []);

    const wrong = (await load('@arethetypeswrong/core')) as {
      createPackageFromTarballData(data: Uint8Array): unknown;
      checkPackage(
        of: unknown,
      ): Promise<{ problems: { kind: string; resolutionKind?: string; entrypoint?: string }[] }>;
    };
    const { problems } = await wrong.checkPackage(wrong.createPackageFromTarballData(await readFile(archive)));
    // It is for modules only: CommonJS gets it with `import()`, and TypeScript's resolution of 2012 knows no `exports`.
    const objections = problems.filter(
      ({ kind, resolutionKind }) => kind !== 'CJSResolvesToESM' && resolutionKind !== 'node10',
    );
    assert.deepEqual(objections, []);
  });

  it('is shaken: who uses one function gets little more, and the entry for browsers needs no module of Node', async (test) => {
    const tool = await toolOrReason('publish');
    if ('reason' in tool) return test.skip(tool.reason);
    const esbuild = createRequire(join(tool.folder, 'package.json'))('esbuild') as {
      build(options: object): Promise<{ outputFiles: { text: string }[] }>;
      stop(): Promise<void>;
    };
    const bundle = async (contents: string, platform: string): Promise<string> => {
      const stdin = { contents, resolveDir: folder };
      const common = { bundle: true, write: false, format: 'esm', minify: true, logLevel: 'silent' };
      const { outputFiles } = await esbuild.build({ ...common, stdin, platform });
      return outputFiles[0]!.text;
    };
    const one = await bundle(`export { isClientError } from '@lanner/client';`, 'node');
    // The whole is 200 times that; what is left are enums of the protobuf runtime and tables of msgpack.
    assert.ok(one.length < 16_000, `${one.length} characters for isClientError`);
    const page = await bundle(`export { ServerlessClient } from '@lanner/client';`, 'browser');
    assert.doesNotMatch(page, /["']node:|\brequire\(/);
    assert.ok(page.length < 60_000, `${page.length} characters for a page`);
    await esbuild.stop();
  });

  it('gives a strict project types for every option, and errors for wrong ones, without skipLibCheck', async () => {
    await mkdir(join(folder, 'node_modules/@types'));
    for (const name of ['@types/node', 'undici-types']) {
      await symlink(join(repositoryRoot, 'node_modules', name), join(folder, 'node_modules', name));
    }
    const tsc = join(repositoryRoot, 'node_modules/.bin/tsc');
    const { code, stdout } = await runCommand(tsc, ['-p', folder], process.env);
    assert.equal(code, 0, stdout);
  });

  it('lets an editor complete namespaces, options and their values', async (test) => {
    const tool = await toolOrReason('docs');
    if ('reason' in tool) return test.skip(tool.reason);
    const begin = `import { ServerlessClient } from '@lanner/client';\nconst client = new ServerlessClient();\n`;
    const wanted: [string, string[]][] = [
      ['client.|', ['apps', 'runners', 'keys', 'secrets', 'environments', 'deploy', 'run', 'subscribe']],
      [`client.apps.scale('a', { | });`, ['keepAlive', 'maxConcurrency', 'machineTypes', 'regions', 'signal']],
      [`client.deploy('a.py', { | });`, ['appName', 'auth', 'strategy', 'resetScale', 'annotations', 'attach']],
      [`client.deploy('a.py', { auth: '|' });`, ['private', 'public', 'shared']],
      [`client.keys.create({ preset: '|' });`, ['FULL', 'DEPLOY', 'READONLY']],
    ];
    const offered = await completionsAt(
      folder,
      wanted.map(([code]) => begin + code),
    );
    const missing = wanted.map(([, names], index) => names.filter((name) => !offered[index]!.includes(name)));
    assert.deepEqual(missing, [[], [], [], [], []]);
  });

  it('runs from there', async () => {
    const { code, stdout, stderr } = await runCommand(process.execPath, ['use.ts'], process.env, { cwd: folder });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /invalid_key\nfile_not_found\n$/);
  });
});
