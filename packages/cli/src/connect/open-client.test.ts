import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lanner, serve, temporaryDataDir, variables, type Outcome } from '../testing/lanner.ts';

/** Nothing of a platform in the environment, and a home of its own. */
const bare = (home: string): NodeJS.ProcessEnv => ({
  HOME: home,
  FAL_HOME_DIR: join(home, '.fal'),
  ...Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => /^(FAL_|LANNER_|ISOLATE_)|SSL|CA_(BUNDLE|CERTS)/.test(name))
      .map((name) => [name, '']),
  ),
});

describe('where a command goes', () => {
  const cleanups: (() => unknown)[] = [];
  let dataDir: string;
  let home: string;
  let found: Record<string, string>;
  before(async () => {
    dataDir = temporaryDataDir({ after: (cleanup) => cleanups.push(cleanup) });
    home = mkdtempSync(join(tmpdir(), 'lanner-home-'));
    await serve(dataDir);
    found = await variables(dataDir);
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    rmSync(home, { recursive: true, force: true });
  });
  const run = (words: string, environment: NodeJS.ProcessEnv = {}, folder = dataDir): Promise<Outcome> =>
    lanner(words.split(' '), folder, { ...bare(home), ...environment });

  test('with nothing configured: the platform that runs here', async () => {
    const { code, stdout, stderr } = await run('apps list --json');
    assert.deepEqual([code, stdout], [0, '{"apps": []}\n'], stderr);
  });

  test('by --data-dir, and by the host of the platform that runs here, its key and certificates are found', async () => {
    const elsewhere = { LANNER_HOME: home, FAL_KEY: 'other:key', FAL_GRPC_HOST: 'api.invalid' };
    assert.equal((await run(`apps list --json --data-dir ${dataDir}`, elsewhere)).stdout, '{"apps": []}\n');
    assert.equal((await run(`apps list --json --host ${found.FAL_GRPC_HOST}`)).stdout, '{"apps": []}\n');
  });

  test('by a profile, whatever the variables say', async () => {
    const config = join(home, 'config.toml');
    writeFileSync(config, `[here]\nkey = "${found.FAL_KEY}"\nhost = "${found.FAL_GRPC_HOST}"\n[empty]\n`);
    const environment = { FAL_CONFIG_PATH: config, FAL_KEY: 'other:key', SSL_CERT_FILE: found.SSL_CERT_FILE! };
    const listed = await run('apps list --profile here --json', environment);
    assert.deepEqual([listed.code, listed.stdout], [0, '{"apps": []}\n'], listed.stderr);
    const unknown = await run('apps list --profile nope', environment);
    assert.deepEqual(
      [unknown.code, unknown.stderr],
      [
        1,
        `error: There is no profile "nope" in ${config}; it has "here", "empty".\n\`fal profile create\` makes one.\n`,
      ],
    );
    assert.match((await run('apps list --profile empty', environment)).stderr, /^error: No key and no login was found/);
  });

  test('with a team and a key: as the account of the key, and says so', async () => {
    const { code, stdout, stderr } = await run('apps list --json --team other');
    assert.deepEqual([code, stdout], [0, '{"apps": []}\n']);
    assert.match(stderr, /^--team other has no effect: a key belongs to one account/);
  });

  test('nowhere: says what there is to do', async () => {
    const { code, stdout, stderr } = await run('apps list', {}, home);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^error: There is no platform to talk to: .*\nStart a platform with `lanner serve`, or set FAL_KEY /,
    );
    assert.match(
      (await run('apps list --data-dir /nonexistent')).stderr,
      /^error: No Lanner server runs on .*\nStart one/,
    );
  });

  test('a certificate that is not trusted: says which variable to set', async () => {
    const { code, stderr } = await run('apps list', { FAL_KEY: found.FAL_KEY!, FAL_GRPC_HOST: found.FAL_GRPC_HOST! });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error: Could not reach localhost:\d+: its certificate is not trusted .*\nSet SSL_CERT_FILE /,
    );
    assert.ok(!stderr.includes(found.FAL_KEY!.split(':')[1]!));
  });

  test('a wrong key, and one without a colon', async () => {
    const wrong = await run('apps list', { ...found, FAL_KEY: 'no:such' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^error: .+\nCheck the key/);
    const broken = await run('keys list', { ...found, FAL_KEY: 'word' });
    assert.match(
      broken.stderr,
      /^error: The key from FAL_KEY is not of the form "<key id>:<key secret>"\.\nCopy the whole key/,
    );
    assert.ok(!broken.stderr.includes('word'));
  });

  test('a host that cannot be reached, or does not exist', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const closed = await run('auth whoami', { ...found, FAL_REST_HOST: `localhost:${port}` });
    assert.match(
      closed.stderr,
      /^error: Could not reach localhost:\d+: nothing listens there \(ECONNREFUSED\)\.\nIs it running/,
    );
    const unknown = await run('auth whoami', { ...found, FAL_REST_HOST: 'nowhere.invalid' });
    assert.match(unknown.stderr, /^error: Could not reach nowhere\.invalid: its name does not resolve/);
    assert.deepEqual([closed.code, unknown.code], [1, 1]);
  });

  test('--debug adds the stack', async () => {
    const { stderr } = await run('--debug apps rollout nope');
    assert.match(stderr, /^error: .*"nope"[\s\S]*\n\s+at .*\.ts:\d+/);
  });

  test('doctor says it all, and never the secret', async () => {
    const { code, stdout } = await run('doctor', found);
    assert.equal(code, 0);
    assert.match(stdout, /FAL_HOST +localhost:\d+ \(FAL_GRPC_HOST\)/);
    assert.ok(stdout.includes(found.FAL_KEY!.split(':')[0]!));
    assert.ok(!stdout.includes(found.FAL_KEY!.split(':')[1]!));
    const nothing = await run('doctor --json', {}, home);
    const facts = JSON.parse(nothing.stdout) as Record<string, unknown>;
    assert.deepEqual([facts['FAL_HOST'], facts['FAL_KEY'], facts['account']], ['api.alpha.fal.ai', '', null]);
  });
});
