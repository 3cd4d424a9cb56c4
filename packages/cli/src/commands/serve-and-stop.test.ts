import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { processCommand } from '@lanner/server/config';
import { get, lanner, serve, temporaryDataDir, variables } from '../testing/lanner.ts';

const isAlive = (pid: number): boolean => processCommand(pid) !== null;
const pidIn = (dataDir: string, name: string): number => Number(readFileSync(join(dataDir, 'run', name), 'utf8'));

test('a served platform answers with the printed variables, and Ctrl-C ends all of it', async (t) => {
  const dataDir = temporaryDataDir(t);
  const server = await serve(dataDir, ['--account', 'alice']);
  const supervisor = pidIn(dataDir, 'supervisor.pid');
  const env = await variables(dataDir);
  const ca = readFileSync(env.SSL_CERT_FILE!, 'utf8');
  const url = `https://${env.FAL_REST_HOST}/users/current`;
  const answer = await get(url, ca, { authorization: `Key ${env.FAL_KEY}` });
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).nickname, 'alice');
  assert.equal((await get(url, ca, {})).status, 401);
  assert.equal(statSync(join(dataDir, 'credentials')).mode & 0o777, 0o600);

  server.child.kill('SIGINT');
  assert.equal((await server.ended).code, 0);
  assert.equal(isAlive(supervisor), false);
});

test('a second server on the folder is told who has it', async (t) => {
  const dataDir = temporaryDataDir(t);
  const first = await serve(dataDir);
  const second = await lanner(['serve', '--port', '0', '--http-port', '0'], dataDir);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`pid ${first.child.pid} uses the data folder`));
  assert.match(second.stderr, /lanner stop/);
  assert.equal((await variables(dataDir)).FAL_KEY?.includes(':'), true);
});

test('stop ends server and supervisor, and finds nothing the second time', async (t) => {
  const dataDir = temporaryDataDir(t);
  const server = await serve(dataDir);
  const supervisor = pidIn(dataDir, 'supervisor.pid');
  const stopped = await lanner(['stop'], dataDir);
  assert.deepEqual([stopped.code, stopped.stderr], [0, '']);
  await server.ended;
  assert.equal(isAlive(supervisor), false);
  assert.match((await lanner(['stop'], dataDir)).stdout, /Nothing runs/);
});

test('after kill -9 the server is not found, starts again with the same key, and stop ends what was left', async (t) => {
  const dataDir = temporaryDataDir(t);
  const first = await serve(dataDir);
  const before = await variables(dataDir);
  first.child.kill('SIGKILL');
  await first.ended;
  const gone = await lanner(['env'], dataDir);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /No Lanner server runs/);

  const second = await serve(dataDir);
  assert.equal((await variables(dataDir)).FAL_KEY, before.FAL_KEY);
  const supervisor = pidIn(dataDir, 'supervisor.pid');
  second.child.kill('SIGKILL');
  await second.ended;
  assert.equal(isAlive(supervisor), true);
  assert.equal((await lanner(['stop'], dataDir)).code, 0);
  assert.equal(isAlive(supervisor), false);
});

test('a supervisor that hangs without its server is named, and stop ends it all the same', async (t) => {
  const dataDir = temporaryDataDir(t);
  const server = await serve(dataDir);
  const supervisor = pidIn(dataDir, 'supervisor.pid');
  server.child.kill('SIGKILL');
  await server.ended;
  process.kill(supervisor, 'SIGSTOP');
  const stopped = await lanner(['stop', '--timeout', '0.2'], dataDir);
  assert.equal(stopped.code, 0);
  assert.match(stopped.stderr, new RegExp(`supervisor \\(pid ${supervisor}\\) does not end by itself and is killed`));
  assert.equal(isAlive(supervisor), false);
});

test('a detached server outlives its command; SIGTERM leaves the supervisor, stop ends it', async (t) => {
  const dataDir = temporaryDataDir(t);
  const args = ['serve', '--detach', '--port', '0', '--http-port', '0'];
  const { code, stdout } = await lanner(args, dataDir);
  assert.equal(code, 0);
  assert.match(stdout, /runs in the background/);
  const supervisor = pidIn(dataDir, 'supervisor.pid');
  await variables(dataDir);
  process.kill(pidIn(dataDir, 'server.pid'), 'SIGTERM');
  while ((await lanner(['env'], dataDir)).code === 0);
  assert.equal(isAlive(supervisor), true);
  assert.equal((await lanner(args, dataDir)).code, 0);
  assert.equal(pidIn(dataDir, 'supervisor.pid'), supervisor);
  assert.equal((await lanner(['stop'], dataDir)).code, 0);
  assert.equal(isAlive(supervisor), false);
});

test('a detached server that cannot start shows the end of its log', async (t) => {
  const dataDir = temporaryDataDir(t);
  await serve(dataDir);
  const { code, stderr } = await lanner(['serve', '--detach', '--port', '0', '--http-port', '0'], dataDir);
  assert.equal(code, 1);
  assert.match(stderr, /uses the data folder/);
});

test('all unusable settings are told at once', async (t) => {
  const { code, stderr } = await lanner(['serve', '--port', 'x', '--host', 'my-api'], temporaryDataDir(t));
  assert.equal(code, 1);
  assert.match(stderr, /port = "x" \(flag --port\)/);
});

test('a stack is shown with --debug alone', async (t) => {
  const dataDir = temporaryDataDir(t);
  assert.doesNotMatch((await lanner(['serve', '--port', 'x'], dataDir)).stderr, /\n +at /);
  assert.match((await lanner(['serve', '--port', 'x', '--debug'], dataDir)).stderr, /\n +at /);
});
