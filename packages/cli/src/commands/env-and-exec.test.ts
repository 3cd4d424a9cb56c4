import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { bin, follow, lanner, serve, start, temporaryDataDir, variables } from '../testing/lanner.ts';

// one server for all tests of this file: none of them changes it
const dataDir = temporaryDataDir({ after });
before(() => serve(dataDir, ['--domain', 'lanner.test']));

/** Runs a program under `lanner exec`. */
const exec = (command: string[], environment: NodeJS.ProcessEnv = {}) =>
  lanner(['exec', '--', ...command], dataDir, environment);

const script = (text: string): string[] => [process.execPath, '--input-type=module', '-e', text];

test('the mode is the domain where there is one, and can be chosen', async () => {
  assert.match((await variables(dataDir)).FAL_HOST!, /^api\.lanner\.test:/);
  assert.match((await variables(dataDir, ['--mode', 'path'])).FAL_RUN_HOST!, /^localhost:\d+\/run$/);
});

test('a shell evaluates the printed variables', async () => {
  const env = { ...process.env, LANNER_HOME: dataDir };
  const line = `eval "$('${process.execPath}' '${bin}' env)" && echo "$FAL_KEY"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { env });
  assert.equal(stdout.trim(), (await variables(dataDir)).FAL_KEY);
});

test('on a terminal the secret of the key is hidden', async () => {
  const program = `import pty, sys; pty.spawn(sys.argv[1:])`;
  const child = spawn('python3', ['-c', program, process.execPath, bin, 'env'], {
    env: { ...process.env, LANNER_HOME: dataDir },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdout } = await follow(child).ended;
  const { FAL_KEY: key } = await variables(dataDir);
  const [id, secret] = key!.split(':') as [string, string];
  assert.ok(stdout.includes(`${id}:***`), stdout);
  assert.ok(!stdout.includes(secret));
});

test('a program that knows nothing of Lanner reaches it by the names of the hosted platform', async () => {
  const { stdout, stderr } = await exec(
    script(`
      const answer = await fetch('https://rest.alpha.fal.ai/users/current', { headers: { authorization: 'Key ' + process.env.FAL_KEY } });
      console.log(answer.status, Object.keys(await answer.json()).includes('nickname'));
    `),
  );
  assert.equal(stdout.trim(), '200 true', stderr);
});

test('the key of the hosted platform and its hosts never reach the program', async () => {
  const { stdout } = await exec(script(`console.log(JSON.stringify(process.env))`), {
    FAL_KEY: 'hosted-id:hosted-secret',
    FAL_KEY_ID: 'hosted-id',
    FAL_KEY_SECRET: 'hosted-secret',
    FAL_HOST: 'api.hosted.example',
    FAL_RUN_HOST: 'hosted.example',
    no_proxy: '*',
    NO_PROXY: 'fal.run',
  });
  assert.doesNotMatch(stdout, /hosted/);
  const env = JSON.parse(stdout);
  assert.equal(env.FAL_KEY, (await variables(dataDir)).FAL_KEY);
  assert.equal(env.no_proxy, 'localhost,127.0.0.1,::1');
});

test('where node is too old for the proxy variables, the program gets the one that runs Lanner', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-old-node-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const node = join(folder, 'node');
  writeFileSync(node, '#!/bin/sh\necho v20.19.0\n');
  chmodSync(node, 0o755);
  const old = { PATH: `${folder}${delimiter}${process.env.PATH}` };
  assert.equal((await exec(['node', '-p', 'process.version'], old)).stdout.trim(), process.version);
  writeFileSync(node, '#!/bin/sh\necho v24.99.0\n');
  assert.equal((await exec(['node', '-p', 'process.version'], old)).stdout.trim(), 'v24.99.0');
});

test('the exit code of the program is passed on', async () => {
  assert.equal((await exec(['sh', '-c', 'exit 7'])).code, 7);
  assert.equal((await exec(['sh', '-c', 'kill -TERM $$'])).code, 128 + 15);
});

test('a signal is passed on to the program', async () => {
  const text = `process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up')`;
  const running = start(['exec', '--', ...script(text)], dataDir);
  await running.printed('up');
  running.child.kill('SIGTERM');
  assert.equal((await running.ended).code, 5);
});

test('a program that does not exist is told with 127, one that cannot run with 126', async () => {
  const missing = await exec(['lanner-no-such-program']);
  assert.equal(missing.code, 127);
  assert.match(missing.stderr, /lanner-no-such-program was not found/);
  assert.equal((await exec([dataDir])).code, 126);
});

test('options of the program are not read as ours', async () => {
  const { stdout } = await exec(['echo', '--data-dir', 'x', '--help']);
  assert.equal(stdout.trim(), '--data-dir x --help');
});

test('without a command, exec says how to write one', async () => {
  const { code, stderr } = await lanner(['exec'], dataDir);
  assert.equal(code, 2);
  assert.match(stderr, /lanner exec -- /);
});

test('without a running server, env and exec say what to do', async (t) => {
  const empty = temporaryDataDir(t);
  for (const command of [['env'], ['exec', '--', 'true']]) {
    const { code, stderr, stdout } = await lanner(command, empty);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^error: No Lanner server runs on .*\nStart one with `lanner serve`/);
  }
});
