import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type Platform } from './platform.ts';

describe('commands in a runner, with the official CLI and ours', () => {
  let platform: Platform;
  let runnerId: string;
  before(async () => {
    platform = await startPlatform();
    assert.equal((await platform.fal(['secrets', 'set', 'SESSION_SECRET=s3cret'])).code, 0);
    runnerId = await startRunner('app');
  });
  after(() => platform.stop());

  /** Deploys an app and calls it: a runner that nobody called ends after ten seconds. */
  const startRunner = async (app: string): Promise<string> => {
    const deployed = await platform.fal(['deploy', 'test/system/apps/calculator.py::Calculator', '--app-name', app]);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const body = JSON.stringify({ a: 1, b: 2 });
    const headers = { 'content-type': 'application/json' };
    assert.equal((await platform.call(`/${app}/add`, { method: 'POST', headers, body })).status, 200);
    const [runner] = await runnersOf(app);
    return runner!.runner_id;
  };
  const runnersOf = async (app: string): Promise<{ runner_id: string }[]> => {
    const { stdout } = await platform.fal(['apps', 'runners', app, '--output', 'json']);
    return (JSON.parse(stdout) as { runners: { runner_id: string }[] }).runners;
  };
  const exec = (...command: string[]) => platform.fal(['runners', 'exec', runnerId, '--', ...command]);

  it('run beside the app: its files, its user, its variables, its status', async () => {
    const { code, stdout, stderr } = await exec(
      'sh',
      '-c',
      'pwd; hostname; id -u; echo "$SESSION_SECRET"; cat /proc/1/cmdline | tr "\\0" " "; ls /data; tty; echo oops >&2; exit 3',
    );
    assert.equal(code, 3);
    const [folder, hostname, uid, secret, init] = stdout.split('\n');
    assert.deepEqual([folder, hostname, secret], ['/app', runnerId, 's3cret']);
    assert.match(init!, /zygote\.py/);
    if (process.getuid!() === 0) assert.notEqual(uid, '0');
    assert.match(stdout, /not a tty/);
    assert.equal(stderr.trim(), 'oops');
  });

  it('give a shell a terminal of its own, which ends with its input', async () => {
    const { code, stdout } = await platform.fal(['runners', 'shell', runnerId], {
      input: 'echo one > /tmp/file\ncat /tmp/file\ntty\nexit 4\n',
    });
    assert.equal(code, 4, stdout);
    assert.match(stdout, /\rone\r\n/);
    assert.match(stdout, /\/dev\/pts\/0/);
    const ended = await platform.fal(['runners', 'shell', runnerId], { input: 'echo two\n' });
    assert.equal(ended.code, 0, ended.stdout);
  });

  it('keep their runner, however soon the app would let it go', async () => {
    const keptId = await startRunner('kept');
    // By the time it ends, the keep-alive of a second is over several times.
    const begun = Promise.withResolvers<void>();
    const command = platform.fal(
      ['runners', 'exec', keptId, '--', 'sh', '-c', 'echo begun; sleep 4; echo still here'],
      { onStdout: () => begun.resolve() },
    );
    await Promise.race([begun.promise, command]);
    const scaled = await platform.fal(['apps', 'scale', 'kept', '--keep-alive', '1']);
    assert.equal(scaled.code, 0, scaled.stdout + scaled.stderr);
    const { code, stdout: said, stderr } = await command;
    assert.deepEqual([code, said], [0, 'begun\nstill here\n'], stderr);
    await eventually(async () => assert.deepEqual(await runnersOf('kept'), []), 20_000);
  });

  it('keep within the runner: nothing of the machine, its own address, no more powers', async () => {
    const program = `
import os, socket
server = socket.create_server(("0.0.0.0", 9999))
print(server.getsockname()[0], socket.create_connection(("127.0.0.1", 9999)).getpeername()[0])
for attempt in (lambda: os.listdir(${JSON.stringify(`${platform.dataDir}/logs`)}), lambda: socket.sethostname("x"), lambda: os.kill(1, 9)):
    try: print("did", attempt())
    except OSError as error: print(type(error).__name__)
`;
    const { code, stdout, stderr } = await exec('python', '-c', program);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^127\.(?!0\.0\.1)[\d.]+ 127\.(?!0\.0\.1)[\d.]+\n/);
    assert.match(stdout, /FileNotFoundError|PermissionError/);
    assert.doesNotMatch(stdout.split('\n').slice(1, 3).join('\n'), /did/);
    assert.equal((await exec('true')).code, 0, 'the runner is still there');
  });

  it('take input through our own command, and megabytes both ways', async () => {
    const input = 'x'.repeat(3_000_000);
    const args = ['runners', 'exec', '-i', runnerId, '--data-dir', platform.dataDir, '--', 'cat'];
    const { code, stdout, stderr } = await platform.lanner(args, { input });
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length, input.length);
  });

  it('say what is wrong, and are refused for runners that are not there', async () => {
    const missing = await exec('no-such-program');
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /no-such-program: No such file/);
    const unknown = await platform.fal(['runners', 'exec', 'nobody', '--', 'true']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /not found/);
  });

  it('end with their client, and with their runner', async () => {
    const stop = new AbortController();
    const running = platform.fal(['runners', 'exec', runnerId, '--', 'sh', '-c', 'echo begun; exec sleep 1234'], {
      signal: stop.signal,
      onStdout: () => stop.abort(),
    });
    await running;
    await eventually(async () => {
      const { stdout } = await exec('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "');
      assert.doesNotMatch(stdout, /sleep 1234/);
    }, 20_000);
    const killed = exec('sleep', '1234');
    await eventually(async () => {
      const { stdout } = await exec('sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "');
      assert.match(stdout, /sleep 1234/);
    }, 20_000);
    assert.equal((await platform.fal(['runners', 'kill', runnerId])).code, 0);
    assert.equal((await killed).code, 137);
  });
});
