import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { repositoryRoot, startPlatform, type Platform } from './platform.ts';

describe('lanner exec, for programs that know nothing of Lanner', () => {
  let platform: Platform;
  let folder: string;
  let python: { python: string; bin: string };
  before(async () => {
    platform = await startPlatform();
    python = await ensurePythonEnv();
    folder = await mkdtemp(join(tmpdir(), 'lanner-exec-'));
    const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(async () => {
    await platform.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const exec = (command: string[], env: Record<string, string> = {}) =>
    platform.lanner(['exec', '--data-dir', platform.dataDir, '--', ...command], { env });

  it('leads fal_client to this platform, whatever key the shell holds', async () => {
    const script = 'import fal_client; print(fal_client.run("acme/simple-app", arguments={"a": 1, "b": 41})["sum"])';
    const { code, stdout, stderr } = await exec([python.python, '-c', script], { FAL_KEY: 'hosted-id:hosted-secret' });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^42$/m);
  });

  it('leads the fal CLI here, gRPC included', async () => {
    const { code, stdout, stderr } = await exec([join(python.bin, 'fal'), 'apps', 'list', '--output', 'json'], {
      https_proxy: 'http://127.0.0.1:9',
    });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /simple-app/);
  });

  it('leads @fal-ai/client on Node here', async () => {
    const script = join(folder, 'call.mjs');
    await writeFile(
      script,
      `import { createRequire } from 'node:module';
const { fal } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
const result = await fal.run('acme/simple-app', { input: { a: 2, b: 40 } });
console.log(result.data.sum, result.requestId.length);
`,
    );
    const { code, stdout, stderr } = await exec(['node', script]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^42 36$/m);
  });

  it('passes the exit status of the command on', async () => {
    assert.equal((await exec(['sh', '-c', 'exit 7'])).code, 7);
  });
});
