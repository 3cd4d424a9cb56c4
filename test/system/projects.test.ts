import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, repositoryRoot, startPlatform, type Platform } from './platform.ts';

const apps = join(repositoryRoot, 'test/system/apps');
const json = { 'content-type': 'application/json' };

describe('projects of several files, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());

  const ok = async (args: string[], cwd: string): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args, { cwd });
    assert.equal(code, 0, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };

  it('deploys an app from pyproject.toml with its files, folders and modes', async () => {
    const cwd = join(apps, 'project');
    await ok(['deploy', 'my-app'], cwd);
    const response = await platform.call('/my-app/', { method: 'POST' });
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), {
      cwd: '/app/src',
      helper: 'helped 1',
      value: 'from deep',
      tool: 'tool says x',
      modes: ['0o755', '0o644'],
      ignored: false,
      empty: 0,
      data: true,
    });
    const listed = JSON.parse(await ok(['apps', 'list', '--json'], cwd)) as { apps: Record<string, unknown>[] };
    assert.deepEqual(
      listed.apps.map((app) => [app['alias'], app['auth_mode'], app['keep_alive'], app['max_multiplexing']]),
      [['my-app', 'shared', 30, 4]],
    );
    assert.equal((await platform.call('/my-app/', { method: 'POST', key: null })).status, 401, 'shared asks for a key');
  });

  it('deploys a file that holds one app without naming it', async () => {
    await ok(['deploy', 'src/main.py', '--app-name', 'unnamed'], join(apps, 'project'));
    // Without app_files the module beside it is not there, and the app says so itself.
    assert.equal((await platform.call('/unnamed/', { method: 'POST' })).status, 500);
  });

  it('runs a function that uses a second file, by value or as an app file', async () => {
    const cwd = join(apps, 'two-files');
    assert.match(await ok(['run', 'function.py::by_value'], cwd), /^by value: HELLO$/m);
    assert.match(await ok(['run', 'function.py::as_file'], cwd), /^as file: HELLO \/app\/answers.py \/app$/m);
  });

  describe('by entry point', () => {
    let packages: Server;
    let cwd: string;
    before(async () => {
      const wheel = await buildWheel('greeter', join(apps, 'entry/greeter/__init__.py'));
      packages = createServer((_request, response) => response.end(wheel));
      await new Promise<void>((settle) => packages.listen(0, '127.0.0.1', settle));
      const { port } = packages.address() as AddressInfo;
      const requirement = `greeter @ http://127.0.0.1:${port}/greeter-1.0-py3-none-any.whl`;
      const entry = (name: string, symbol: string): string =>
        `[tool.fal.apps.${name}]\npython_entry_point = "greeter:${symbol}"\nrequirements = ["fal==1.83.0", "${requirement}"]\nauth = "public"\n`;
      cwd = await mkdtemp(join(tmpdir(), 'lanner-entry-'));
      await writeFile(
        join(cwd, 'pyproject.toml'),
        entry('greeter', 'Greeter') + entry('doubled', 'doubled') + entry('wrong', 'Missing'),
      );
    });
    after(async () => {
      packages.close();
      await rm(cwd, { recursive: true, force: true });
    });

    it('deploys an app and a served function, whose metadata comes from the platform', async () => {
      await ok(['deploy', 'greeter'], cwd);
      const greeted = await platform.call('/greeter/greet', { method: 'POST', headers: json, body: '{"name":"x"}' });
      assert.deepEqual([greeted.status, await greeted.json()], [200, { text: 'hello x' }]);
      await ok(['deploy', 'doubled'], cwd);
      const doubled = await platform.call('/doubled/?x=4', { method: 'POST', key: null });
      assert.deepEqual([doubled.status, await doubled.json()], [200, 8]);
      // A Struct has no order.
      const paths = Object.keys((await metadata('greeter'))['openapi']!['paths'] as object);
      assert.deepEqual(paths.sort(), ['/greet', '/health']);
    });

    it('says that a symbol does not exist before anything is registered', async () => {
      const { code, stdout, stderr } = await platform.fal(['deploy', 'wrong'], { cwd });
      assert.equal(code, 1, stdout + stderr);
      assert.match(stdout, /module 'greeter' has no attribute 'Missing'/);
      assert.equal((await platform.call('/wrong/', { method: 'POST' })).status, 404);
    });

    it('runs an app while the command runs', async () => {
      const stop = new AbortController();
      let output = '';
      const running = platform.fal(['run', 'greeter'], {
        cwd,
        signal: stop.signal,
        env: { PYTHONUNBUFFERED: '1' },
        onStdout: (text) => (output += text),
      });
      let path = '';
      await eventually(() => {
        path = /\/run\/acme(\/[\w-]+)\/greet/.exec(output)?.[1] ?? assert.fail(output);
      }, 60_000);
      const greeted = await platform.call(`${path}/greet`, { method: 'POST', headers: json, body: '{}', key: null });
      assert.deepEqual([greeted.status, await greeted.json()], [200, { text: 'hello you' }]);
      stop.abort();
      await running;
      await eventually(async () => {
        assert.equal((await platform.call(`${path}/greet`, { method: 'POST', headers: json, body: '{}' })).status, 404);
      }, 10_000);
    });
  });

  const metadata = async (name: string): Promise<Record<string, Record<string, unknown>>> => {
    const { stdout } = await platform.python(`
import os, httpx
print(httpx.get(f"https://{os.environ['FAL_REST_HOST']}/applications/acme/${name}/metadata", headers={"authorization": "Key " + os.environ["FAL_KEY"]}).text)
`);
    return JSON.parse(stdout) as Record<string, Record<string, unknown>>;
  };

  /** A wheel of one module, packed with Python's own zip. */
  async function buildWheel(name: string, source: string): Promise<Buffer> {
    const folder = await mkdtemp(join(tmpdir(), 'lanner-wheel-'));
    try {
      const info = `${name}-1.0.dist-info`;
      await mkdir(join(folder, name));
      await mkdir(join(folder, info));
      await writeFile(join(folder, name, '__init__.py'), await readFile(source));
      await writeFile(join(folder, info, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`);
      await writeFile(join(folder, info, 'WHEEL'), 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n');
      await writeFile(join(folder, info, 'RECORD'), '');
      const packed = await platform.run('python3', ['-m', 'zipfile', '-c', 'out.whl', name, info], { cwd: folder });
      assert.equal(packed.code, 0, packed.stderr);
      return await readFile(join(folder, 'out.whl'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
});
