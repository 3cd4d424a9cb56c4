import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { writeCondaStandIn, type CondaStandIn } from '../../packages/supervisor/src/testing/conda-stand-in.ts';
import { startPlatform, type Platform } from './platform.ts';

const functions = 'test/system/apps/conda_functions.py';

describe('functions of kind conda, with the official client', () => {
  let micromamba: CondaStandIn;
  let platform: Platform;
  before(async () => {
    micromamba = await writeCondaStandIn('micromamba', (await ensurePythonEnv()).python);
    platform = await startPlatform({ programs: micromamba.folder });
  });
  after(async () => {
    await platform?.stop();
    await micromamba?.remove();
  });

  it('run with what conda and pip have installed, and show the build', async () => {
    const { code, stdout, stderr } = await platform.fal(['run', `${functions}::tells_a_joke`]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(
      stdout,
      /Creating the conda environment with micromamba 2\.0\.5: pyjokes, python=3\.\d+ from conda-forge/,
    );
    assert.match(stdout, /Transaction finished[^]*Installing requirements: six==1\.17\.0/);
    assert.match(stdout, /from the function: a joke from conda/);
  });

  it('return their value, from the finished environment', async () => {
    const { code, stdout, stderr } = await platform.python(`
import sys
sys.path.insert(0, "test/system/apps")
import conda_functions
print("value:", conda_functions.tells_a_joke())
`);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /value: 1\.17\.0/);
    assert.doesNotMatch(stdout, /Creating the conda environment/);
  });

  it('serve an API, with the requirements that the client adds', async () => {
    const { code, stdout, stderr } = await platform.fal(['deploy', `${functions}::served`, '--auth', 'public']);
    assert.equal(code, 0, stdout + stderr);
    const response = await platform.call('/served/?times=2', { method: 'POST' });
    assert.deepEqual(await response.json(), { jokes: ['a joke from conda', 'a joke from conda'], six: '1.16.0' });
  });

  it('fail with the reason', async () => {
    const refused = async (name: string): Promise<string> => {
      const { code, stdout } = await platform.fal(['run', `${functions}::${name}`]);
      assert.equal(code, 1, stdout);
      return stdout;
    };
    assert.match(
      await refused('of_no_such_package'),
      /Failure during 'conda create': [^]*no-such-package does not exist/,
    );
    assert.match(await refused('of_another_python'), /lists "python=3\.9"\. Leave Python out and set python_version/);
  });
});
