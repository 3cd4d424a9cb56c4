/** Every parameter of the Python client's page, given by the TypeScript client, and its effect as the Python client sees it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DeployProgress, ServerlessClient } from '@lanner/client';
import { clientOf } from './client-of.ts';
import { eventually, startPlatform, type Platform } from './platform.ts';

const app = (text: string): string => `import fal


class Parameters(fal.App, keep_alive=61, max_concurrency=3):
    machine_type = "S"

    @fal.endpoint("/")
    def answer(self) -> str:
        return "${text}"
`;

describe('parameters of @lanner/client', () => {
  let platform: Platform;
  let client: ServerlessClient;
  let folder: string;
  before(async () => {
    platform = await startPlatform();
    client = await clientOf(platform);
    folder = await mkdtemp(join(tmpdir(), 'lanner-parameters-'));
    await writeFile(join(folder, 'app.py'), app('first'));
  });
  after(async () => {
    client?.close();
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** An expression over `client` and `now`, as Python sees it. */
  const python = async (expression: string): Promise<unknown> => {
    const result = await platform.python(
      `import json
from datetime import datetime, timedelta
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
now = datetime.now()
print(json.dumps(${expression}))`,
    );
    assert.equal(result.code, 0, result.stdout + result.stderr);
    return JSON.parse(result.stdout.trim().split('\n').at(-1)!) as unknown;
  };
  const answer = async (): Promise<string> => (await client.run<string>('acme/parameters')).data;

  it('of deploys: scale settings stay or are reset, the environment is built anew, revisions move', async () => {
    const seen: DeployProgress[] = [];
    const options = {
      auth: 'shared',
      cwd: folder,
      appName: 'parameters',
      onProgress: (progress: DeployProgress) => void seen.push(progress),
    } as const;
    const buildLines = (): number => seen.filter((each) => each.type === 'log' && each.phase === 'building').length;
    const settings = `[[a.keep_alive, a.max_concurrency, a.auth_mode, a.revision] for a in client.apps.list(filter="parameters")][0]`;

    const first = await client.deploy('app.py::Parameters', options);
    assert.deepEqual(await python(settings), [61, 3, 'shared', first.revision]);
    assert.equal(await answer(), 'first');
    await client.apps.scale('parameters', { keepAlive: 301 });

    await writeFile(join(folder, 'app.py'), app('second'));
    seen.length = 0;
    const second = await client.deploy('app.py', { ...options, strategy: 'recreate', forceEnvBuild: false });
    assert.equal(buildLines(), 0, 'an environment that is there is not built');
    assert.deepEqual(await python(settings), [301, 3, 'shared', second.revision]);
    assert.equal(await answer(), 'second', 'a recreated app answers with its new code at once');

    seen.length = 0;
    const third = await client.deploy('app.py', { ...options, resetScale: true, attach: true, forceEnvBuild: true });
    assert.ok(buildLines() > 0, 'built anew');
    assert.deepEqual(await python(settings), [61, 3, 'shared', third.revision]);
    assert.deepEqual(
      new Set((await client.apps.revisions('parameters')).map(({ applicationId }) => applicationId)),
      new Set([first.revision, second.revision, third.revision]),
    );
  });

  it('of scaling: floors and buffers start runners that Python lists too', async () => {
    await client.apps.scale('parameters', {
      minConcurrency: 1,
      concurrencyBuffer: 1,
      concurrencyBufferPerc: 10,
      maxConcurrency: 3,
    });
    assert.deepEqual(
      await python(
        `[[a.min_concurrency, a.concurrency_buffer, a.concurrency_buffer_perc, a.max_concurrency] for a in client.apps.list()][0]`,
      ),
      [1, 1, 10, 3],
    );
    let ours: string[] = [];
    await eventually(async () => {
      const runners = await client.apps.runners('parameters', { state: ['IDLE'] });
      ours = runners.map(({ runnerId }) => runnerId).sort();
      assert.ok(ours.length >= 1);
    }, 30_000);
    const theirs = (await python(`[r.runner_id for r in client.runners.list()]`)) as string[];
    assert.ok(
      ours.every((runnerId) => theirs.includes(runnerId)),
      `${ours.join()} in ${theirs.join()}`,
    );
    await client.apps.scale('parameters', { minConcurrency: 1, concurrencyBuffer: 0, concurrencyBufferPerc: 0 });
  });

  it('of runners: a substitute first, and those that ended since', async () => {
    const beganAt = new Date(Date.now() - 60_000);
    let old = '';
    await eventually(async () => {
      const [runner] = await client.apps.runners('parameters', { state: ['IDLE'] });
      old = runner?.runnerId ?? '';
      assert.notEqual(old, '');
    }, 30_000);
    await client.runners.stop(old, { replaceFirst: true });
    await eventually(async () => {
      const idle = (await python(
        `[r.runner_id for r in client.apps.runners("parameters", state=["idle"])]`,
      )) as string[];
      assert.ok(idle.length > 0 && !idle.includes(old), 'another took its place');
    }, 40_000);
    await eventually(async () => {
      const ended = await client.runners.list({ since: beganAt, state: ['TERMINATED'] });
      assert.ok(ended.some(({ runnerId }) => runnerId === old));
    }, 20_000);
    const inPython = (await python(
      `[r.runner_id for r in client.apps.runners("parameters", since=now - timedelta(minutes=5), state=["terminated"])]`,
    )) as string[];
    assert.ok(inPython.includes(old));
    assert.equal(
      (await client.runners.list()).some(({ runnerId }) => runnerId === old),
      false,
      'without a time only live ones are listed',
    );
    const [next] = await client.apps.runners('parameters', { state: ['IDLE'] });
    await client.runners.kill(next!.runnerId);
    await client.apps.scale('parameters', { minConcurrency: 0 });
    await client.apps.rollout('parameters');
  });

  it('of keys: presets and single permissions hold for whoever uses the key', async () => {
    const readOnly = await client.keys.create({ permissions: ['serverless:apps:read'], description: 'reads apps' });
    const deploys = await client.keys.create({ preset: 'deploy' });
    /** Whether Python with this key may: apps, secrets, keys. */
    const rightsOf = async ({ keyId, keySecret }: { keyId: string; keySecret: string }): Promise<unknown> => {
      const { stdout, stderr } = await platform.python(
        `import json
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
def may(call):
    try:
        call()
        return True
    except Exception as error:
        return "permission" in str(error).lower() and "no permission" or str(error)
print(json.dumps([may(call) for call in (client.apps.list, client.secrets.list, client.keys.list)]))`,
        { env: { FAL_KEY: `${keyId}:${keySecret}` } },
      );
      return JSON.parse(stdout.trim().split('\n').at(-1) || JSON.stringify(stderr)) as unknown;
    };
    assert.deepEqual(await rightsOf(readOnly), [true, 'no permission', 'no permission']);
    assert.deepEqual(await rightsOf(deploys), [true, true, 'no permission']);
    const listed = (await python(`[[k.key_id, k.alias] for k in client.keys.list()]`)) as [string, string][];
    assert.deepEqual(
      listed.find(([keyId]) => keyId === readOnly.keyId),
      [readOnly.keyId, 'reads apps'],
    );
  });

  it('of the client itself: host and key in code alone, and a profile of the configuration file', async () => {
    const host = platform.variables['FAL_GRPC_HOST']!;
    const key = platform.variables['FAL_KEY']!;
    const trust = { SSL_CERT_FILE: platform.variables['SSL_CERT_FILE'], HOME: folder };
    await using inCode = await clientOf(platform, { host, apiKey: key, environment: trust });
    assert.equal((await inCode.apps.list())[0]?.alias, 'parameters');
    assert.equal((await inCode.run<string>('acme/parameters')).data, 'second', 'calls find their host as well');

    const configPath = join(folder, 'config.toml');
    await writeFile(
      configPath,
      `[__internal__]\nprofile = "other"\n\n[work]\nkey = "${key}"\n\n[other]\nkey = "a:b"\n`,
    );
    const environment = { ...trust, FAL_GRPC_HOST: host, FAL_CONFIG_PATH: configPath };
    await using byProfile = await clientOf(platform, { profile: 'work', environment });
    assert.equal((await byProfile.apps.list()).length, 1);
    const { stdout } = await platform.python(
      `from fal.api import SyncServerlessClient\nprint(len(SyncServerlessClient(profile="work").apps.list()))`,
      { env: { FAL_KEY: undefined, FAL_CONFIG_PATH: configPath } },
    );
    assert.equal(stdout.trim().split('\n').at(-1), '1', 'as the Python client does');
  });
});
