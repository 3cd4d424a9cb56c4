import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { findConda, readVersion } from './find-conda.ts';

describe('findConda', () => {
  let folder: string;
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'lanner-find-conda-')));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const program = async (path: string, says: string): Promise<string> => {
    const file = join(folder, path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, `#!/bin/sh\necho '${says}'\n`);
    await chmod(file, 0o755);
    return file;
  };
  const find = (hostEnv: Record<string, string>) => findConda(hostEnv, new AbortController().signal);

  it('prefers micromamba to mamba to conda, and the one that is named to the one on PATH', async () => {
    const micromamba = await program('a/micromamba', '2.0.5');
    const mamba = await program('b/mamba', '2.1.0');
    const conda = await program('installed/bin/conda', 'conda 24.1.0');
    await mkdir(join(folder, 'installed/conda-meta'), { recursive: true });
    const PATH = ['installed/bin', 'b', 'a'].map((name) => join(folder, name)).join(':');
    assert.deepEqual(await find({ PATH }), {
      path: micromamba,
      commandLine: 'micromamba',
      label: 'micromamba 2.0.5',
      isInPrefix: false,
    });
    assert.equal((await find({ PATH, MAMBA_EXE: mamba })).path, mamba);
    assert.deepEqual(await find({ PATH: '/nowhere', CONDA_EXE: conda }), {
      path: conda,
      commandLine: 'conda',
      label: 'conda 24.1.0',
      isInPrefix: true,
    });
  });

  it('says what to install, and what it found of no use', async () => {
    const old = await program('c/mamba', 'mamba 1.5.8');
    const refuses = (hostEnv: Record<string, string>, text: RegExp) =>
      assert.rejects(
        find(hostEnv),
        (error) => isLannerError(error) && error.code === 'build_failed' && text.test(error.message),
      );
    await refuses({ PATH: '/nowhere' }, /has no micromamba.*Install micromamba.*kind virtualenv/);
    await refuses({ PATH: join(folder, 'c') }, new RegExp(`of no use: ${old}\\.`));
  });

  it('tells the tools apart by their version line', () => {
    assert.deepEqual(readVersion('1.5.8', 'micromamba'), { commandLine: 'micromamba', label: 'micromamba 1.5.8' });
    assert.deepEqual(readVersion('2.0.5', 'mamba'), { commandLine: 'micromamba', label: 'mamba 2.0.5' });
    assert.deepEqual(readVersion('conda 24.1.0', 'conda'), { commandLine: 'conda', label: 'conda 24.1.0' });
    for (const line of ['mamba 1.5.8', 'usage: conda', '', 'conda'])
      assert.equal(readVersion(line, 'mamba'), undefined);
  });
});
