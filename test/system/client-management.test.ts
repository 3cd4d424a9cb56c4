/** The TypeScript client and the official Python client against one platform: what one does the other sees. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ServerlessClient } from '@lanner/client';
import { clientOf, variablesOf } from './client-of.ts';
import { eventually, repositoryRoot, runCommand, startPlatform, type Platform } from './platform.ts';

const simple = 'test/system/apps/simple.py::SimpleApp';
const code = (wanted: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, wanted, String(error));
  return true;
};

describe('@lanner/client: keys, secrets, environments, accounts', () => {
  let platform: Platform;
  let client: ServerlessClient;
  before(async () => {
    platform = await startPlatform();
    client = await clientOf(platform);
  });
  after(async () => {
    client?.close();
    await platform?.stop();
  });

  /** Runs Python with `client` made and returns the JSON it prints. */
  const python = async (script: string): Promise<unknown> => {
    const {
      code: exit,
      stdout,
      stderr,
    } = await platform.python(
      `import json\nfrom fal.api import SyncServerlessClient\nclient = SyncServerlessClient()\n${script}`,
    );
    assert.equal(exit, 0, stdout + stderr);
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  };

  it('knows who it is', async () => {
    const account = await client.accounts.current();
    assert.equal(account.nickname, 'acme');
    assert.deepEqual(
      (await client.accounts.teams()).map((team) => team.nickname),
      ['acme'],
    );
  });

  it('makes keys that Python lists, and lists and revokes those Python made', async () => {
    const made = await client.keys.create({ scope: 'api', description: 'from TypeScript' });
    assert.match(made.keySecret, /^[0-9a-zA-Z_-]{20,}$/);
    const theirs = (await python(
      `from fal.sdk import KeyPreset\nkey_id, _ = client.keys.create(preset=KeyPreset.FULL, description="from Python")\n` +
        `print(json.dumps([key_id, [[k.key_id, k.scope.value, k.alias] for k in client.keys.list()]]))`,
    )) as [string, [string, string, string][]];
    assert.deepEqual(
      theirs[1].find(([keyId]) => keyId === made.keyId),
      [made.keyId, 'API', 'from TypeScript'],
    );
    const ours = await client.keys.list();
    const fromPython = ours.find((key) => key.keyId === theirs[0]);
    assert.equal(fromPython?.scope, 'admin');
    assert.equal(fromPython?.description, 'from Python');
    assert.ok(Math.abs(fromPython.createdAt!.getTime() - Date.now()) < 60_000);

    const asNewKey = await clientOf(platform, { apiKey: `${made.keyId}:${made.keySecret}` });
    await assert.rejects(async () => asNewKey.keys.list(), code('permission_denied'));
    await client.keys.revoke(made.keyId);
    await assert.rejects(async () => asNewKey.apps.list(), code('unauthenticated'));
    asNewKey.close();
    assert.equal(
      (await client.keys.list()).some((key) => key.keyId === made.keyId),
      false,
    );
  });

  it('refuses a key without exactly one grant before anything is sent', async () => {
    await assert.rejects(client.keys.create({}), code('invalid_argument'));
    await assert.rejects(client.keys.create({ scope: 'api', preset: 'FULL' }), code('invalid_argument'));
    await assert.rejects(client.keys.create({ scope: 'root' as 'api' }), code('invalid_argument'));
    await assert.rejects(client.keys.create({ permissions: [] }), code('invalid_argument'));
  });

  it('makes environments and secrets that Python lists, and the other way round', async () => {
    const made = await client.environments.create('staging', { description: 'before production' });
    assert.equal(made.name, 'staging');
    assert.equal(made.isDefault, false);
    await client.secrets.set('FROM_TS', 'quiet', { environmentName: 'staging', defaultExposed: false });
    const seen = (await python(
      `client.environments.create("preview")\nclient.secrets.set("FROM_PY", "quiet", environment_name="staging")\n` +
        `print(json.dumps([[e.name for e in client.environments.list()], [[s.name, s.default_exposed] for s in client.secrets.list(environment_name="staging")]]))`,
    )) as [string[], [string, boolean | null][]];
    assert.ok(seen[0].includes('staging'));
    assert.deepEqual(
      seen[1].find(([name]) => name === 'FROM_TS'),
      ['FROM_TS', false],
    );
    assert.ok((await client.environments.list()).some((environment) => environment.name === 'preview'));
    const secrets = await client.secrets.list({ environmentName: 'staging' });
    const fromPython = secrets.find((secret) => secret.name === 'FROM_PY');
    assert.equal(fromPython?.environmentName, 'staging');
    assert.equal(fromPython?.defaultExposed, null, "as the account's default says");
    assert.deepEqual(await client.secrets.list(), [], 'main has none');

    await assert.rejects(client.environments.create('staging'), code('already_exists'));
    await client.secrets.unset('FROM_PY', { environmentName: 'staging' });
    await client.secrets.unset('FROM_TS', { environmentName: 'staging' });
    await client.environments.delete('staging');
    await assert.rejects(client.environments.delete('staging'), code('not_found'));
    const left = (await python(`print(json.dumps([e.name for e in client.environments.list()]))`)) as string[];
    assert.equal(left.includes('staging'), false);
  });

  it('drives apps and runners that Python deployed', async () => {
    const deployed = await platform.fal(['deploy', simple, '--output', 'json']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const [app] = await client.apps.list({ filter: 'simple' });
    assert.equal(app?.alias, 'simple-app');
    assert.equal(app.authMode, 'private');
    assert.equal(app.keepAlive, 60);
    assert.deepEqual(await client.apps.list({ filter: 'no such app' }), []);
    const names: string[] = [];
    for await (const each of client.apps.list()) names.push(each.alias);
    assert.deepEqual(names, ['simple-app']);

    const scaled = await client.apps.scale('simple-app', {
      keepAlive: 301,
      maxMultiplexing: 3,
      maxConcurrency: 6,
      minConcurrency: 0,
      concurrencyBuffer: 0,
      concurrencyBufferPerc: 0,
      scalingDelay: 1,
      requestTimeout: 120,
      requestStartTimeout: 30,
      startupTimeout: 111,
      machineTypes: ['S', 'M'],
      regions: ['us-east'],
    });
    assert.equal(scaled.requestStartTimeout, 30);
    const [inPython] = (await python(
      `print(json.dumps([[a.keep_alive, a.max_multiplexing, a.max_concurrency, a.min_concurrency, a.scaling_delay, a.request_timeout, a.request_start_timeout, a.startup_timeout, a.machine_types, a.valid_regions] for a in client.apps.list()]))`,
    )) as unknown[][];
    assert.deepEqual(inPython, [301, 3, 6, 0, 1, 120, 30, 111, ['S', 'M'], ['us-east']]);
    const cleared = await client.apps.scale('simple-app', { requestStartTimeout: 0 });
    assert.equal(cleared.requestStartTimeout, null);
    assert.equal(cleared.keepAlive, 301, 'what is left out stays');

    const { data } = await client.run<{ sum: number; job: string }>('acme/simple-app', { input: { a: 2, b: 3 } });
    assert.equal(data.sum, 5);
    const [runner] = await client.apps.runners('simple-app', { state: ['IDLE', 'RUNNING'] });
    assert.equal(runner?.runnerId, data.job);
    assert.equal(runner.revision, app.revision);
    assert.equal((await client.runners.list()).length, 1);
    assert.equal((await client.runners.list({ state: ['PENDING'] })).length, 0);
    assert.deepEqual(await client.runners.gpus(), { gpus: {}, total: 0 });
    assert.deepEqual(await client.apps.gpus('simple-app'), { gpus: {}, total: 0 });
    await assert.rejects(client.apps.gpus('nothing'), code('not_found'));

    const lines = await client.runners.logs(runner.runnerId);
    assert.ok(
      lines.some((line) => /Application startup complete/.test(line.message)),
      lines.map((line) => line.message).join('\n'),
    );
    const sorted = [...lines].sort((a, b) => a.timestamp.getTime() - b.timestamp.getTime());
    assert.deepEqual(lines, sorted, 'oldest first');
    assert.deepEqual(await client.runners.logs(runner.runnerId, { last: 2 }), lines.slice(-2));
    await assert.rejects(async () => client.runners.logs('nothing-here'), code('not_found'));

    await client.apps.rollout('simple-app', { force: true });
    await eventually(async () => {
      assert.equal(
        (await client.runners.list()).some((each) => each.runnerId === runner.runnerId && each.state !== 'TERMINATED'),
        false,
      );
    }, 15_000);
    const again = await client.run<{ job: string }>('acme/simple-app', { input: { a: 1, b: 1 } });
    await client.runners.stop(again.data.job);
    await eventually(
      async () => assert.equal((await client.apps.runners('simple-app', { state: ['IDLE', 'RUNNING'] })).length, 0),
      15_000,
    );
    await assert.rejects(client.runners.kill('nothing-here'), code('not_found'));

    const redeployed = await platform.fal(['deploy', simple, '--output', 'json']);
    assert.equal(redeployed.code, 0, redeployed.stdout + redeployed.stderr);
    const revisions = await client.apps.revisions('simple-app');
    assert.equal(revisions.length, 2);
    const back = await client.apps.setRevision('simple-app', app.revision, { auth: 'public', strategy: 'recreate' });
    assert.equal(back.revision, app.revision);
    assert.equal(back.authMode, 'public');
    await client.apps.deleteRevision(revisions.find((each) => each.applicationId !== app.revision)!.applicationId);
    assert.equal((await client.apps.revisions('simple-app')).length, 1);
    assert.equal(await client.apps.delete('simple-app'), app.revision);
    assert.equal(await client.apps.delete('simple-app'), null, 'gone already');
    assert.deepEqual(await client.apps.list(), []);
  });

  it('lets a script end by itself although its connections are open', async () => {
    const variables = await variablesOf(platform);
    const script = `import { ServerlessClient } from '@lanner/client';
const client = new ServerlessClient();
console.log((await client.keys.list()).length > 0, (await client.accounts.current()).nickname);`;
    const result = await runCommand(
      process.execPath,
      ['--input-type=module', '-e', script],
      { ...variables },
      { cwd: repositoryRoot, timeoutMs: 20_000 },
    );
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /true acme/);
  });

  it('says which variable to set when the certificate is not trusted', async () => {
    const {
      SSL_CERT_FILE: _a,
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: _b,
      NODE_EXTRA_CA_CERTS: _c,
      ...variables
    } = await variablesOf(platform);
    await using stranger = await clientOf(platform, { environment: variables });
    for (const call of [async () => stranger.apps.list(), () => stranger.accounts.current()]) {
      await assert.rejects(call, (error: { code?: string; advice?: string }) => {
        assert.equal(error.code, 'certificate_not_trusted');
        assert.match(error.advice ?? '', /SSL_CERT_FILE/);
        return true;
      });
    }
  });

  it('tells a wrong key, and a server that is not there', async () => {
    await using wrong = await clientOf(platform, { apiKey: '00000000-0000-0000-0000-000000000000:nonsense' });
    await assert.rejects(async () => wrong.apps.list(), code('unauthenticated'));
    await assert.rejects(wrong.accounts.current(), code('unauthenticated'));
    await using nowhere = await clientOf(platform, { host: '127.0.0.1:9' });
    await assert.rejects(async () => nowhere.apps.list(), code('connection_refused'));
  });

  it('works on when the server was restarted', async () => {
    assert.ok((await client.keys.list()).length > 0);
    await platform.killServer();
    await assert.rejects(
      async () => client.keys.list({ timeoutMs: 3000 }),
      (error: { code?: string }) =>
        ['connection_refused', 'connection_lost', 'timed_out', 'server_unavailable'].includes(error.code ?? ''),
    );
    await platform.startServer();
    assert.ok((await client.keys.list()).length > 0);
  });

  it('ends a call by signal and by time', async () => {
    await assert.rejects(async () => client.keys.list({ signal: AbortSignal.abort() }), code('cancelled'));
    await assert.rejects(async () => client.accounts.current({ signal: AbortSignal.abort() }), code('cancelled'));
  });
});
