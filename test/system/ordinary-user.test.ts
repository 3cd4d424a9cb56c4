import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, lannerBin, repositoryRoot, startPlatform, type Platform } from './platform.ts';

const uid = 54_321;
const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

/** Why the platform cannot be run as somebody else here, or null. */
function reasonToSkip(): string | null {
  if (process.getuid?.() !== 0) return 'only root can become another user; every other test ran as an ordinary one';
  const canRead = spawnSync(process.execPath, ['-e', `require('fs').readFileSync(${JSON.stringify(lannerBin)})`], {
    uid,
    gid: uid,
    cwd: '/',
  });
  return canRead.status === 0 ? null : `other users cannot read ${repositoryRoot}`;
}

const reason = reasonToSkip();

describe('a platform that runs as an ordinary user', reason === null ? {} : { skip: reason }, () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform({ uid });
    for (const reference of ['simple.py::SimpleApp', 'hostile.py::Hostile', 'raw_servers.py::plain_server']) {
      const { code, stdout, stderr } = await platform.fal(['deploy', `test/system/apps/${reference}`]);
      assert.equal(code, 0, stdout + stderr);
    }
  });
  after(() => platform.stop());
  const ask = async <T>(path: string, body = '{}'): Promise<T> => {
    const response = await platform.call(path, { ...post, body });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as T;
  };
  /** Real uids of a process, as /proc tells. */
  const uidOf = async (pid: number): Promise<number> =>
    Number(/^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);

  it('belongs to that user and answers', async () => {
    assert.equal(await uidOf(platform.serverPid), uid);
    assert.equal(await uidOf(Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'))), uid);
    assert.equal((await ask<{ sum: number }>('/simple-app/', '{"a": 2, "b": 3}')).sum, 5);
  });

  it('isolates its runners all the same', async () => {
    const seen = await ask<{
      home: unknown;
      data_dir: unknown;
      processes: number;
      umount: number;
      key_in_env: boolean;
    }>(`/hostile/look-around?data_dir=${encodeURIComponent(platform.dataDir)}`);
    assert.doesNotMatch(JSON.stringify(seen.data_dir), /lanner\.db|credentials|secrets\.key|"ca"|"run"/);
    assert.ok(seen.processes < 10, 'no process of others can be seen');
    assert.notEqual(seen.umount, 0);
    const { uid: inside, host } = await ask<{ uid: number; host: string }>('/hostile/');
    assert.notEqual(inside, 0);
    assert.notEqual(host, (await import('node:os')).hostname());
  });

  it('keeps servers on one port apart, and /data over runners', async () => {
    assert.deepEqual(await (await platform.call('/plain_server/')).json(), { server: 'plain' });
    await ask('/hostile/');
    await ask('/hostile/write-data?text=first');
    assert.equal((await platform.fal(['apps', 'rollout', 'hostile', '--force'])).code, 0);
    assert.deepEqual(await ask('/hostile/write-data?text=second'), { before: 'first' });
  });

  it('runs commands beside an app', async () => {
    await ask('/simple-app/', '{"a": 2, "b": 3}');
    const listed = await platform.fal(['apps', 'runners', 'simple-app', '--output', 'json']);
    const { runner_id } = (JSON.parse(listed.stdout) as { runners: { runner_id: string }[] }).runners[0]!;
    const { code, stdout, stderr } = await platform.fal([
      'runners',
      'exec',
      runner_id,
      '--',
      'sh',
      '-c',
      'hostname; id -u',
    ]);
    assert.equal(code, 0, stdout + stderr);
    assert.equal(stdout, `${runner_id}\n${uid}\n`);
  });

  it('runs functions and gives them their secrets', async () => {
    assert.equal((await platform.fal(['secrets', 'set', 'TEST_SECRET=of-an-ordinary-user'])).code, 0);
    const { code, stdout, stderr } = await platform.python(
      'import sys; sys.path.insert(0, "test/system/apps"); import functions; print("value:", functions.reads_secret())',
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /value: of-an-ordinary-user/);
  });

  it('leaves nothing of a stopped runner behind, nor of itself', async () => {
    await ask('/hostile/ignore-sigterm');
    await ask('/hostile/leave-children');
    const processesOfUser = (): string[] =>
      spawnSync('ps', ['-o', 'pid=,args=', '--user', String(uid)], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n')
        .filter(Boolean);
    assert.ok(processesOfUser().some((line) => line.includes('sleep 1000')));
    await platform.stop();
    await eventually(() => assert.deepEqual(processesOfUser(), []), 20_000);
  });
});
