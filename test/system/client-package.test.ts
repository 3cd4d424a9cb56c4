/** `@lanner/client` as somebody installs it: packed, unpacked elsewhere, used by a strict project. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packPackage } from '../../scripts/pack/pack-package.ts';
import { repositoryRoot, runCommand } from './platform.ts';

const consumer = `import { ServerlessClient, isClientError, type AppInfo, type RunnerState } from '@lanner/client';
import { verifyWebhook, type WebhookEvent } from '@lanner/client/webhooks';

await using client = new ServerlessClient({ apiKey: 'no colon' });
const scale = (): Promise<AppInfo> => client.apps.scale('a', { keepAlive: 1, machineTypes: ['S'] });
// @ts-expect-error seconds are numbers
client.apps.scale('a', { keepAlive: '1' }).catch(() => undefined);
// @ts-expect-error there is no such option
client.apps.scale('a', { keepalive: 1 }).catch(() => undefined);
// @ts-expect-error there is no such mode
client.deploy('a.py', { auth: 'secret' }).catch(() => undefined);
// @ts-expect-error there is no such state
const state: RunnerState = 'SLEEPING';
// @ts-expect-error the name comes first
client.secrets.set({ name: 'a', value: 'b' }).catch(() => undefined);
const answer = (): Promise<{ data: { n: number } }> => client.run<{ n: number }>('a/b', { input: { x: 1 } });
// @ts-expect-error the output is what was said
const wrong = (): Promise<{ data: string }> => client.run<{ n: number }>('a/b');
const event = (): Promise<WebhookEvent<{ n: number }>> =>
  verifyWebhook<{ n: number }>({ headers: new Headers(), body: '' }, { jwksUrl: 'https://rest.lanner.example/jwks' });
console.log(typeof scale, typeof state, typeof answer, typeof wrong, typeof event);
try {
  await client.apps.list();
} catch (error) {
  console.log(isClientError(error) && error.code);
}
try {
  await client.deploy('nowhere.py');
} catch (error) {
  console.log(isClientError(error) && error.code);
}
`;

describe('the package @lanner/client', () => {
  let folder: string;
  const installed = (): string => join(folder, 'node_modules/@lanner/client');
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-consumer-'));
    for (const name of ['protocol', 'client']) {
      const archive = await packPackage(name, folder);
      const target = join(folder, 'node_modules/@lanner', name);
      await mkdir(target, { recursive: true });
      const { code, stderr } = await runCommand(
        'tar',
        ['xzf', archive, '-C', target, '--strip-components=1'],
        process.env,
      );
      assert.equal(code, 0, stderr);
    }
    // Its dependencies are those of the lockfile.
    for (const name of ['@bufbuild', '@connectrpc', 'smol-toml', '@types', 'undici-types']) {
      await symlink(join(repositoryRoot, 'node_modules', name), join(folder, 'node_modules', name));
    }
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'use.ts'), consumer);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'dom', 'esnext.disposable'],
      types: ['node'],
      outDir: 'out',
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.ts'] }));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('holds compiled code, declarations, the loader and its licence, and no tests', async () => {
    const files = await readdir(installed(), { recursive: true });
    for (const wanted of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/index.js.map',
      'python/lanner_loader.py',
      'README.md',
      'LICENSE',
    ]) {
      assert.ok(files.includes(wanted), wanted);
    }
    assert.deepEqual(
      files.filter((file) => /\.test\.|__pycache__|tsbuildinfo|(?<!\.d)\.ts$/.test(file)),
      [],
    );
    const manifest = JSON.parse(await readFile(join(installed(), 'package.json'), 'utf8')) as {
      exports: Record<string, unknown>;
    };
    assert.deepEqual(manifest.exports, {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './webhooks': { types: './dist/webhooks/index.d.ts', default: './dist/webhooks/index.js' },
    });
  });

  it('gives a strict project types for every option, and errors for wrong ones, without skipLibCheck', async () => {
    const { code, stdout } = await runCommand(
      join(repositoryRoot, 'node_modules/.bin/tsc'),
      ['-p', folder],
      process.env,
    );
    assert.equal(code, 0, stdout);
  });

  it('runs from there', async () => {
    const { code, stdout, stderr } = await runCommand(process.execPath, ['use.ts'], process.env, { cwd: folder });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /invalid_key\nfile_not_found\n$/);
  });
});
