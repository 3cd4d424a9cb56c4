import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type Platform } from './platform.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ids of processes whose command line matches, one a line. */
function processesLike(pattern: string): string {
  try {
    return execFileSync('pgrep', ['-f', pattern], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

describe('apps that misbehave, and processes that die', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    for (const reference of ['hostile.py::Hostile', 'raw_servers.py::plain_server', 'raw_servers.py::garbage_server']) {
      const deployed = await platform.fal(['deploy', `test/system/apps/${reference}`]);
      assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    }
  });
  after(() => platform.stop());
  const ask = async <T>(path: string): Promise<T> => {
    const response = await platform.call(path, post);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as T;
  };

  it('keeps two servers on the same port apart, and both from the network', async () => {
    const plain = await platform.call('/plain_server/');
    assert.deepEqual(await plain.json(), { server: 'plain' });
    const other = await ask<{ pid: number }>('/hostile/');
    assert.ok(other.pid > 0);
    const listening = await readFile('/proc/net/tcp', 'utf8');
    const port8080 = listening.split('\n').filter((line) => /^\s*\d+: [0-9A-F]{8}:1F90 .* 0A /.test(line));
    assert.ok(port8080.length >= 2);
    for (const line of port8080) assert.match(line, /: [0-9A-F]{6}7F:1F90/, 'every listener is on a loopback address');
  });

  it('answers 502 for a server that does not speak HTTP', async () => {
    const response = await platform.call('/garbage_server/');
    assert.equal(response.status, 502);
    const body = (await response.json()) as { error_type: string };
    assert.equal(body.error_type, 'runner_incomplete_response');
  });

  it('shows a runner its own world only', async () => {
    const seen = await ask<{
      home: unknown;
      data_dir: unknown;
      processes: number;
      umount: number;
      root: string[];
      key_in_env: boolean;
    }>(`/hostile/look-around?data_dir=${encodeURIComponent(platform.dataDir)}`);
    assert.doesNotMatch(
      JSON.stringify(seen.data_dir),
      /lanner\.db|credentials|secrets\.key|"ca"|"run"/,
      'nothing of the platform is visible',
    );
    assert.ok(seen.processes < 10, 'no process of others can be seen');
    assert.notEqual(seen.umount, 0);
    assert.equal(seen.key_in_env, true);
    const { uid, host } = await ask<{ uid: number; host: string }>('/hostile/');
    assert.notEqual(uid, 0);
    assert.notEqual(host, (await import('node:os')).hostname());
  });

  it('keeps /data over runners', async () => {
    await ask('/hostile/write-data?text=first');
    await platform.fal(['apps', 'rollout', 'hostile', '--force']);
    assert.deepEqual(await ask('/hostile/write-data?text=second'), { before: 'first' });
  });

  it('survives a quarter of a gigabyte of output, and serves others meanwhile', async () => {
    // Kept, it would take all that is printed and more; how far the heap grows before it is collected is up to the engine.
    const rssKiB = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${platform.serverPid}/status`, 'utf8'))?.[1]);
    const beforeKiB = await rssKiB();
    const printing = ask<{ printed: number }>('/hostile/print-much');
    const meanwhile = await platform.call('/plain_server/');
    assert.equal(meanwhile.status, 200);
    const { printed: printedKiB } = await printing;
    const grownMiB = ((await rssKiB()) - beforeKiB) / 1024;
    assert.ok(grownMiB < printedKiB / 1024, `the server keeps the output in memory: ${Math.round(grownMiB)} MiB more`);
  });

  it('leaves nothing of a stopped runner behind, even one that ignores SIGTERM', async () => {
    await ask('/hostile/ignore-sigterm');
    await ask('/hostile/leave-children');
    const sleepers = (): string => processesLike('^sleep 1000$');
    assert.equal(sleepers().split('\n').length, 3);
    const listed = JSON.parse((await platform.fal(['runners', 'list', '--output', 'json'])).stdout) as {
      runners: { runner_id: string; alias: string }[];
    };
    const runner = listed.runners.find(({ alias }) => alias === 'hostile');
    assert.ok(runner);
    assert.equal((await platform.fal(['runners', 'stop', runner.runner_id])).code, 0);
    await eventually(() => assert.equal(sleepers(), ''), 15_000);
    assert.equal((await platform.call('/hostile/', post)).status, 200, 'the next call gets a new runner');
  });

  it('refuses headers of a megabyte, paths that climb, and bytes that are no HTTP, and goes on', async () => {
    const { httpPort } = JSON.parse(await readFile(join(platform.dataDir, 'run/server.json'), 'utf8')) as {
      httpPort: number;
    };
    const raw = (text: string): Promise<string> =>
      new Promise((settle, reject) => {
        const socket = connect(httpPort, '127.0.0.1', () => socket.write(text));
        let answer = '';
        socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
        socket.on('error', (error) => (answer === '' ? reject(error) : settle(answer)));
        socket.on('close', () => settle(answer));
      });
    assert.match(
      await raw(`GET /run/acme/hostile/ HTTP/1.1\r\nhost: localhost\r\nx-big: ${'y'.repeat(1_000_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 /,
    );
    assert.match(await raw('complete nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /);
    assert.match(
      await raw('GET /run/acme/../acme/hostile/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'),
      /^HTTP\/1\.1 4\d\d /,
    );
    assert.equal((await platform.call('/plain_server/')).status, 200);
  });

  it('replaces a supervisor that was killed: its runners are gone, the next call works', async () => {
    const supervisor = Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
    await ask('/hostile/');
    process.kill(supervisor, 'SIGKILL');
    await eventually(async () => {
      const now = Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
      assert.notEqual(now, supervisor);
    }, 15_000);
    await eventually(async () => assert.equal((await platform.call('/hostile/', post)).status, 200), 20_000);
  });

  it('ends everything it started when it is stopped', async () => {
    const supervisor = Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
    const server = platform.serverPid;
    await platform.stop();
    await eventually(() => {
      assert.equal(isAlive(server), false);
      assert.equal(isAlive(supervisor), false);
      assert.equal(processesLike(platform.dataDir), '');
    }, 15_000);
  });
});
