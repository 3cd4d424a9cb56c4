import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { bareEnvironment, eventually, lannerBin, runCommand, waitForLine, type CommandResult } from './platform.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const hasBash = spawnSync('bash', ['--version']).status === 0;

describe('lanner serve, env and stop from a shell', () => {
  let home: string;
  let dataDir: string;
  let environment: NodeJS.ProcessEnv;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'lanner-shell-'));
    dataDir = join(home, `it's a "data" $HOME \`folder\``);
    environment = bareEnvironment(home);
  });
  after(async () => {
    await lanner(['stop', '--data-dir', dataDir]);
    await rm(home, { recursive: true, force: true });
  });
  const lanner = (args: string[], env: Record<string, string> = {}): Promise<CommandResult> =>
    runCommand(process.execPath, [lannerBin, ...args], { ...environment, ...env });
  const serve = async (folder: string, args: string[] = []): Promise<{ server: ChildProcess; said: string }> => {
    const server = spawn(
      process.execPath,
      [lannerBin, 'serve', '--data-dir', folder, '--port', '0', '--http-port', '0', '--account', 'acme', ...args],
      {
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    return { server, said: await waitForLine(server, /Next: .*\n/, 60_000) };
  };
  const ended = async (server: ChildProcess): Promise<number | null> => {
    if (server.exitCode === null && server.signalCode === null)
      await new Promise((settle) => server.once('exit', settle));
    return server.exitCode;
  };

  it('prints a next step that works in sh and bash, whatever the name of the folder', async () => {
    const { server, said } = await serve(dataDir);
    const evaluation = /eval "\$\((lanner env.*)\)" &&/.exec(said)?.[1];
    assert.ok(evaluation, said);
    for (const shell of ['sh', ...(hasBash ? ['bash'] : [])]) {
      const script = `lanner() { "$NODE" "$LANNER" "$@"; }\neval "$(${evaluation})" && printf '%s\\n' "$FAL_RUN_HOST" && head -n 1 "$SSL_CERT_FILE"`;
      const { code, stdout, stderr } = await runCommand(shell, ['-c', script], {
        ...environment,
        NODE: process.execPath,
        LANNER: lannerBin,
      });
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /^localhost:\d+\/run\n-----BEGIN CERTIFICATE-----\n$/);
    }
    server.kill('SIGINT');
    assert.equal(await ended(server), 0);
  });

  it(
    'hides the key on a terminal, in every format, and shows it to a program',
    hasScript ? {} : { skip: 'no script command' },
    async () => {
      const { server } = await serve(dataDir);
      const key = (await readFile(join(dataDir, 'credentials'), 'utf8')).match(/[0-9a-f]{32,}/)?.[0];
      assert.ok(key);
      for (const format of ['shell', 'dotenv', 'json']) {
        const piped = await lanner(['env', '--data-dir', dataDir, '--format', format]);
        assert.ok(piped.stdout.includes(key), format);
        const command = '"$NODE" "$LANNER" env --data-dir "$FOLDER" --format "$FORMAT"';
        const shown = await runCommand('script', ['-qec', command, '/dev/null'], {
          ...environment,
          NODE: process.execPath,
          LANNER: lannerBin,
          FOLDER: dataDir,
          FORMAT: format,
        });
        assert.equal(shown.code, 0, shown.stdout);
        assert.match(shown.stdout, /FAL_RUN_HOST/);
        assert.ok(!shown.stdout.includes(key), format);
      }
      server.kill('SIGTERM');
      assert.equal(await ended(server), 0);
    },
  );

  it('says that nothing runs, and that an empty folder name is no folder', async () => {
    for (const command of [['env'], ['exec', '--', 'true']]) {
      const none = await lanner([command[0]!, '--data-dir', join(home, 'none'), ...command.slice(1)]);
      assert.equal(none.code, 1);
      assert.match(none.stderr, /^error: No Lanner server runs on the data folder .*none\.\nStart one with/);
      const empty = await lanner([command[0]!, '--data-dir', '', ...command.slice(1)]);
      assert.equal(empty.code, 2);
      assert.match(empty.stderr, /--data-dir is empty/);
    }
  });

  it('says which port is taken and by which flag to choose another, and leaves nothing behind', async () => {
    const other = createServer();
    await new Promise<void>((settle) => other.listen(0, '127.0.0.1', settle));
    const taken = String((other.address() as AddressInfo).port);
    for (const [flag, free] of [
      ['--port', '--http-port'],
      ['--http-port', '--port'],
    ] as const) {
      const { code, stderr } = await lanner(['serve', '--data-dir', join(home, 'taken'), flag, taken, free, '0']);
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`${taken}[^]*${flag}\\b`));
      assert.doesNotMatch(stderr, /at .*\.ts:\d/, 'no stack');
    }
    await new Promise((settle) => other.close(settle));
    assert.match((await lanner(['stop', '--data-dir', join(home, 'taken')])).stdout, /Nothing runs/);
  });

  it('lists every bad setting at once', async () => {
    const { code, stderr } = await lanner(
      ['serve', '--port', '99999', '--host', 'not a host', '--domain', 'x', '--account', '-'],
      { LANNER_HTTP_PORT: 'eighty' },
    );
    assert.equal(code, 1);
    for (const seen of [
      '"99999" (flag --port)',
      '"not a host" (flag --host)',
      '"x" (flag --domain)',
      '(flag --account)',
      '"eighty" (environment LANNER_HTTP_PORT)',
    ]) {
      assert.ok(stderr.includes(seen), `${seen} in:\n${stderr}`);
    }
  });

  it('says which folder cannot be used, and why', async () => {
    const file = join(home, 'a-file');
    await writeFile(file, '');
    for (const folder of [file, join(file, 'below')]) {
      const { code, stderr } = await lanner(['serve', '--data-dir', folder, '--port', '0', '--http-port', '0']);
      assert.equal(code, 1);
      assert.match(stderr, /a-file.* is not a folder[^]*--data-dir/);
    }
    if (process.getuid?.() !== 0) return;
    await mkdir(join(home, 'roots'), { mode: 0o700 });
    await chmod(home, 0o755);
    for (const args of [['env'], ['stop'], ['serve', '--port', '0', '--http-port', '0']]) {
      const { code, stderr } = await runCommand(
        process.execPath,
        [lannerBin, ...args, '--data-dir', join(home, 'roots')],
        environment,
        { uid: 54_321 },
      );
      if (args[0] === 'serve') assert.match(stderr, /roots belongs to another user/);
      assert.doesNotMatch(stderr, /defect/);
      assert.ok(code === 1 || args[0] === 'stop');
    }
  });

  it('refuses the folder of a newer Lanner and leaves it as it is', async () => {
    const folder = join(home, 'newer');
    const first = await serve(folder);
    first.server.kill('SIGINT');
    await ended(first.server);
    const database = new DatabaseSync(join(folder, 'lanner.db'));
    database.exec(
      `INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (9999, '9999_future', 'x', 0)`,
    );
    database.close();
    const { code, stderr } = await lanner(['serve', '--data-dir', folder, '--port', '0', '--http-port', '0']);
    assert.equal(code, 1);
    assert.match(stderr, /newer/);
    assert.match((await lanner(['stop', '--data-dir', folder])).stdout, /Nothing runs/);
  });

  it('ends at once at the second SIGTERM, although a request is still going on', async () => {
    const { server } = await serve(join(home, 'twice'));
    const { httpPort } = JSON.parse(await readFile(join(home, 'twice/run/server.json'), 'utf8')) as {
      httpPort: number;
    };
    const supervisor = Number(await readFile(join(home, 'twice/run/supervisor.pid'), 'utf8'));
    // a caller that never finishes its request
    const socket = connect(httpPort, '127.0.0.1', () =>
      socket.write('POST /users/current HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{'),
    );
    socket.on('error', () => undefined);
    await new Promise((settle) => socket.once('connect', settle));
    server.kill('SIGTERM');
    await waitForLine(server, /SIGTERM: stopping/, 10_000);
    server.kill('SIGTERM');
    const startedAtMs = performance.now();
    assert.equal(await ended(server), 0);
    assert.ok(performance.now() - startedAtMs < 15_000, 'it did not wait for the grace period');
    socket.destroy();
    await eventually(() => assert.throws(() => process.kill(supervisor, 0), /ESRCH/), 10_000);
  });
});
