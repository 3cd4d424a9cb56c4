import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemClock, type BuildMessage, type Json, type RunnerExit, type SupervisorEvent } from '@lanner/protocol';
import { readHostEnvironment } from '../host-environment.ts';
import { silentLog } from '../lib/log.ts';
import { probeIsolation } from '../sandbox/isolation.ts';
import { writeCondaStandIn, type CondaStandIn } from '../testing/conda-stand-in.ts';
import { createAddressPool } from '../runners/address-pool.ts';
import { startTestSupervisor, toolsFolder, type TestSupervisor } from '../testing/test-supervisor.ts';
import { createEnvironmentStore, type EnvironmentTree } from './environment-store.ts';
import { createEnvironments, type Environments } from './environments.ts';

describe('conda environments', () => {
  let micromamba: CondaStandIn;
  let mirror: string;
  let test: TestSupervisor;
  let trees: string;
  before(async () => {
    micromamba = await writeCondaStandIn('micromamba', 'python3');
    mirror = await mkdtemp(join(tmpdir(), 'lanner-conda-mirror-'));
    await chmod(mirror, 0o755);
    await mkdir(join(mirror, 'conda-forge'));
    test = await startTestSupervisor({
      env: {
        MAMBA_EXE: micromamba.path,
        CONDA_CHANNEL_ALIAS: pathToFileURL(mirror).href,
      },
    });
    trees = join(test.dataDir, 'environments/acct_test/trees');
  });
  after(async () => {
    await test?.stop();
    await micromamba?.remove();
    await rm(mirror, { recursive: true, force: true });
  });

  const definition = (configuration: { [key: string]: Json }) => ({
    kind: 'conda' as const,
    configuration: { python_version: micromamba.pythonVersion, ...configuration },
  });
  const build = (
    configuration: { [key: string]: Json },
    requirementSecrets: Record<string, string> = {},
  ): Promise<BuildMessage[]> =>
    test.api.build({
      accountId: 'acct_test',
      accountOrdinal: 7,
      environment: definition(configuration),
      requirementSecrets,
      force: false,
    });
  const linesOf = (messages: BuildMessage[]): string =>
    messages.map((message) => (message.type === 'log' ? message.line : '')).join('\n');
  const failureOf = (messages: BuildMessage[]): string => {
    const last = messages.at(-1)!;
    assert.equal(last.type, 'failed', JSON.stringify(last));
    return JSON.stringify(last);
  };

  it('run functions with what conda and uv have installed, by an interpreter of their own', async () => {
    const stream = await test.api.openEvents(0, { acknowledge: true });
    try {
      const source = `def main():
    import json, os, pyjokes, shutil, six, ssl, sys
    tree = sys.prefix
    print(json.dumps({
        'joke': pyjokes.get_joke(),
        'six': six.__version__,
        'own': os.path.realpath(sys.executable).startswith(tree + '/bin/'),
        'onPath': shutil.which('python') == tree + '/bin/python',
        'compiled': os.path.exists(pyjokes.__cached__),
        'writable': os.access(tree, os.W_OK) and os.getuid() != 0,
        'tree': tree,
    }))`;
      const environment = definition({ packages: ['pyjokes'], channels: ['conda-forge'], pip: ['six==1.16.0'] });
      const request = await test.request(source, { environment });
      await test.api.startRunner(request);
      const ofRunner = (event: SupervisorEvent): boolean => 'runnerId' in event && event.runnerId === request.runnerId;
      const last = await stream.find((event) => event.type === 'runner.exited' && ofRunner(event));
      const lines = stream.events.flatMap((event) =>
        event.type === 'runner.log' && event.source === 'user' && ofRunner(event) ? [event.line] : [],
      );
      assert.equal((last as unknown as { exit: RunnerExit }).exit.reason, 'finished', lines.join('\n'));
      const { tree, ...seen } = JSON.parse(lines.find((line) => line.startsWith('{'))!) as { tree: string };
      assert.deepEqual(seen, {
        joke: 'a joke from conda',
        six: '1.16.0',
        own: true,
        onPath: true,
        compiled: true,
        writable: false,
      });
      assert.equal(dirname(tree), trees, 'where it was built is where it is used');
    } finally {
      stream.close();
    }
  });

  it('are built once for all who ask, with every line for each of them', async () => {
    const asked = { env_yml_str: 'dependencies:\n  - pyjokes\n  - pip:\n      - six==1.17.0\n' };
    const answers = await Promise.all([build(asked), build(asked)]);
    for (const answer of answers) {
      assert.equal(answer.at(-1)?.type, 'done', JSON.stringify(answer.at(-1)));
      const lines = linesOf(answer);
      assert.match(
        lines,
        /Creating the conda environment with micromamba 2\.0\.5: pyjokes, python=3\.\d+\.\d+ from conda-forge$/m,
      );
      assert.match(lines, /^Transaction finished$[^]*^Installing requirements: six==1\.17\.0$[^]*^ \+ six==1\.17\.0$/m);
      assert.match(lines, /^mirror: conda-forge$/m, 'the folder of the operator can be seen');
    }
    const again = await build({ packages: ['pyjokes'], pip: [' six==1.17.0 '] });
    assert.deepEqual(again, [{ ...answers[0]!.at(-1)!, cached: true }]);
  });

  it('fail with the text of the tool, and leave no tree behind', async () => {
    const before = await readdir(trees);
    const failure = failureOf(await build({ packages: ['no-such-package'] }));
    assert.match(failure, /Failure during 'conda create': error {4}libmamba Could not solve/);
    assert.match(failure, /no-such-package does not exist in the configured channels/);
    assert.match(failureOf(await build({ packages: [], pip: ['six==0.0'] })), /Failure during 'uv pip install': /);
    assert.match(failureOf(await build({ packages: ['python=3.9'] })), /set python_version instead/);
    assert.deepEqual(await readdir(trees), before);
    assert.deepEqual(await readdir(join(trees, '../input')), []);
  });

  it('keep the secrets of their channels out of everything that is shown', async () => {
    const channels = ['https://ada:${PASSWORD}@host.example/a', 'https://host.example/t/${TOKEN}/b'];
    const secrets = { PASSWORD: 'short', TOKEN: 'tk-a-longer-token' };
    const done = await build({ packages: [], channels }, secrets);
    assert.equal(done.at(-1)?.type, 'done', JSON.stringify(done.at(-1)));
    assert.match(linesOf(done), /"https:\/\/\*\*\*@host\.example\/a"/, 'the tool has got an address with a password');
    const failed = await build({ packages: ['no-such-package'], channels }, secrets);
    assert.equal(failed.at(-1)?.type, 'failed');
    for (const secret of Object.values(secrets)) assert.ok(!JSON.stringify([done, failed]).includes(secret), secret);
    assert.match(
      failureOf(await build({ packages: ['pyjokes'], channels })),
      /A channel mentions \$\{PASSWORD\}.*fal secrets set/,
    );
  });
});

describe('without micromamba', () => {
  let folder: string;
  let environments: Environments;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-no-micromamba-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const open = (env: Record<string, string>): void => {
    environments = createEnvironments({
      store: createEnvironmentStore(join(folder, 'environments')),
      isolation: () => probeIsolation(readHostEnvironment(process.env).hostEnv),
      addresses: createAddressPool(folder),
      clock: systemClock,
      log: silentLog,
      hostEnv: readHostEnvironment(env).hostEnv,
      buildEnv: readHostEnvironment(process.env).buildEnv,
      toolsFolder,
      caBundlePath: undefined,
      onReplaced() {},
      onBuilt() {},
    });
  };
  const ensure = async (pythonVersion: string): Promise<{ tree: EnvironmentTree; lines: string[] }> => {
    const environment = {
      kind: 'conda' as const,
      configuration: { python_version: pythonVersion, packages: ['pyjokes'] },
    };
    const lines: string[] = [];
    try {
      const asked = { accountId: 'a', accountOrdinal: 1, environment, force: false };
      return { tree: (await environments.ensure(asked, ({ line }) => lines.push(line))).tree, lines };
    } finally {
      await environments.stop();
    }
  };

  it('the error says what to install, and nothing has been made', async () => {
    open({ PATH: folder });
    await assert.rejects(
      ensure('3.11'),
      /has no micromamba, mamba \(2\.0 or later\) or conda.*Install micromamba.*kind virtualenv/,
    );
    assert.deepEqual(await readdir(folder), []);
  });

  it('conda builds them, and sees its installation', async () => {
    const conda = await writeCondaStandIn('conda', 'python3');
    try {
      open({ PATH: folder, CONDA_EXE: conda.path });
      const { tree, lines } = await ensure(conda.pythonVersion);
      assert.equal(tree.pythonVersion, conda.pythonVersion);
      assert.equal(tree.basePython, undefined);
      assert.match(lines.join('\n'), /with conda 24\.1\.0: pyjokes[^]*Transaction finished/);
      assert.ok((await readdir(join(tree.path, '../.conda'))).includes('pkgs'));
    } finally {
      await conda.remove();
    }
  });
});
