import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, repositoryRoot, startPlatform, type Platform } from './platform.ts';

const file = 'test/system/apps/simple.py';
const app = `${file}::SimpleApp`;
const hasConda = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((folder) => ['micromamba', 'mamba', 'conda'].some((name) => existsSync(join(folder, name))));

describe('options of deploy and run, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    await ok(['deploy', app]);
  });
  after(() => platform.stop());

  const ok = async (args: string[], cwd?: string): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args, cwd === undefined ? {} : { cwd });
    assert.equal(code, 0, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const json = (stdout: string): Record<string, string> =>
    JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as Record<string, string>;
  const current = async (): Promise<Record<string, unknown>> =>
    (JSON.parse(await ok(['apps', 'list', '--json'])) as { apps: Record<string, unknown>[] }).apps[0]!;

  it('detaches from a rollout, and waits for it when told to', async () => {
    const detached = json(await ok(['deploy', app, '--detach', '--json']));
    assert.equal(detached['status'], 'rolling_out');
    assert.equal((await current())['revision'], detached['revision'], 'it gets traffic at once');
    const attached = json(await ok(['deploy', app, '--attach', '--json']));
    assert.deepEqual([attached['status'], (await current())['revision']], ['deployed', attached['revision']]);
  });

  it('builds the environment again with --no-cache, and not without', async () => {
    assert.doesNotMatch(await ok(['deploy', app]), /Building environment/);
    assert.match(await ok(['deploy', app, '--no-cache']), /Building environment[^]*Build complete/);
    const response = await platform.call('/simple-app/', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"a": 1}',
    });
    assert.equal(response.status, 200);
  });

  it('compares with what runs before it deploys', async () => {
    await ok(['apps', 'scale', 'simple-app', '--keep-alive', '77']);
    const before = (await current())['revision'];
    const asked = await platform.fal(['deploy', app, '--check']);
    assert.equal(asked.code, 1);
    assert.match(asked.stdout, /Keep Alive\s+│ 77\s+│ 60/);
    assert.equal((await current())['revision'], before);
    await ok(['deploy', app, '--check', '--yes']);
    assert.notEqual((await current())['revision'], before);
  });

  it('finds the only file of a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanner-only-'));
    try {
      await writeFile(join(folder, 'only.py'), await readFile(join(repositoryRoot, file)));
      assert.equal(json(await ok(['deploy', '--json'], folder))['app_name'], 'simple-app');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('knows whose key it is', async () => {
    assert.match(await ok(['auth', 'whoami']), /acme/);
    assert.match(await ok(['doctor']), /FAL_KEY/);
    assert.match(
      await ok(['apps', 'list', '--team', 'nobody']),
      /Ignoring explicit team nobody because key is used\. The key belongs to acme/,
    );
  });

  it('serves an app that a script starts by its class, until the script leaves it', async () => {
    const { code, stdout, stderr } = await platform.python(`
import sys
sys.path.insert(0, "test/system/apps")
import simple
from fal.app import AppClient, AppClientError
# In one piece: a thread of the client prints the runner's log meanwhile.
write = lambda line: sys.stdout.write(f"\\n{line}\\n")
with AppClient.connect(simple.SimpleApp) as client:
    write(f"sum {client.add({'a': 1, 'b': 2})['sum']}")
    try:
        client.add({"a": "x"})
    except AppClientError as error:
        write(f"refused {'422' in str(error)}")
`);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^sum 3$/m);
    assert.match(stdout, /^refused True$/m);
    await eventually(async () => {
      const listed = JSON.parse(await ok(['runners', 'list', '--json'])) as { runners: { alias: string }[] };
      assert.ok(
        listed.runners.every(({ alias }) => alias === 'simple-app'),
        'the runner of the script is gone',
      );
    }, 15_000);
  });

  it('says that an app could not start, below what it printed', async () => {
    const { code, stdout, stderr } = await platform.fal(['run', 'test/system/apps/broken.py::Broken']);
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout + stderr, /setup fails on purpose/);
    assert.match(stdout, /The app ended \(exit status 3\) before it listened on its port/);
  });

  it('ends a function with its command', async () => {
    const stop = new AbortController();
    let output = '';
    const running = platform.fal(['run', 'test/system/apps/functions.py::waits_forever'], {
      signal: stop.signal,
      env: { PYTHONUNBUFFERED: '1' },
      onStdout: (text) => (output += text),
    });
    const listed = async (): Promise<string> => ok(['runners', 'list', '--json']);
    await eventually(() => assert.match(output, /waiting forever/), 30_000);
    assert.match(await listed(), /"alias": "waits-forever-[^}]*"state": "RUNNING"/);
    stop.abort();
    await running;
    await eventually(async () => assert.doesNotMatch(await listed(), /waits-forever/), 15_000);
  });

  it('says what is missing for environments this machine cannot build', async () => {
    const refused = async (name: string): Promise<string> => {
      const { code, stdout } = await platform.fal(['run', `test/system/apps/odd_environments.py::${name}`]);
      assert.equal(code, 1, stdout);
      return stdout;
    };
    assert.match(await refused('of_an_image'), /Container images need a container engine/);
    if (!hasConda) assert.match(await refused('of_conda'), /has no micromamba.*Install micromamba/);
    const conflict = await refused('of_conflicting_pins');
    assert.match(conflict, /Failure during 'uv pip install'/);
    assert.match(conflict, /six==1\.16 and six==1\.17/);
  });
});
