import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type CommandResult, type Platform } from './platform.ts';
import { addAccount } from './second-account.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

describe('two accounts on one platform', () => {
  let platform: Platform;
  let rivalKey: string;
  let httpPort: number;

  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const asRival = (): { env: Record<string, string> } => ({ env: { FAL_KEY: rivalKey } });

  before(async () => {
    platform = await startPlatform();
    await platform.killServer();
    rivalKey = await addAccount(platform.dataDir, 'rival');
    await platform.startServer();
    ({ httpPort } = JSON.parse(await readFile(join(platform.dataDir, 'run/server.json'), 'utf8')) as {
      httpPort: number;
    });
    for (const auth of ['private', 'shared', 'public']) {
      ok(await platform.fal(['deploy', 'test/system/apps/hostile.py::Hostile', '--app-name', auth, '--auth', auth]));
    }
    ok(await platform.fal(['environments', 'create', 'hidden-env']));
    ok(await platform.fal(['secrets', 'set', 'HIDDEN_SECRET=value']));
  });
  after(() => platform.stop());

  const rest = async (path: string, init: RequestInit & { key: string }): Promise<Response> =>
    fetch(`http://127.0.0.1:${httpPort}${path}`, {
      ...init,
      headers: { authorization: `Key ${init.key}`, 'content-type': 'application/json' },
    });

  it('lets each call what the auth mode allows', async () => {
    const statuses = async (key: string | null): Promise<number[]> =>
      Promise.all(
        ['private', 'shared', 'public'].map(
          async (name) => (await platform.call(`/${name}/`, { ...post, key })).status,
        ),
      );
    assert.deepEqual(await statuses(platform.variables['FAL_KEY']!), [200, 200, 200]);
    assert.deepEqual(await statuses(rivalKey), [404, 200, 200]);
    assert.deepEqual(await statuses(null), [401, 401, 200]);
    const foreign = await platform.call('/private/', { ...post, key: rivalKey });
    const absent = await platform.call('/absent/', { ...post, key: rivalKey });
    const without = (text: string): string => text.replaceAll(/private|absent/g, '');
    assert.equal(
      without(((await foreign.json()) as { detail: string }).detail),
      without(((await absent.json()) as { detail: string }).detail),
    );
  });

  it('shows and gives the other account nothing, through the SDK', async () => {
    const own = ok(
      await platform.python(`
from fal.api import SyncServerlessClient
from fal.sdk import KeyPreset
client = SyncServerlessClient()
runner = next(r for r in client.runners.list() if r.alias == "private")
app = next(a for a in client.apps.list() if a.alias == "private")
key_id, _ = client.keys.create(preset=KeyPreset.API, description="hidden key")
print(runner.runner_id, app.revision, key_id)
`),
    );
    const [runnerId, revision, keyId] = own.trim().split(' ') as [string, string, string];
    const seen = ok(
      await platform.python(
        `
from fal.api import SyncServerlessClient
from fal.sdk import FalServerlessClient
runner_id, revision, key_id = ${JSON.stringify([runnerId, revision, keyId])}
client = SyncServerlessClient()
print("apps", client.apps.list())
print("runners", client.runners.list())
print("secrets", client.secrets.list())
print("environments", [e.name for e in client.environments.list()])
print("keys", [k.key_id for k in client.keys.list() if k.key_id == key_id])
def refused(what, call):
    try:
        print("ALLOWED", what, call())
    except Exception as error:
        print("refused", what, "|", str(error).replace("\\n", " "))
refused("apps.runners", lambda: client.apps.runners("private"))
refused("apps.scale", lambda: client.apps.scale("private", keep_alive=1))
refused("apps.rollout", lambda: client.apps.rollout("private"))
refused("runners.stop", lambda: client.runners.stop(runner_id))
refused("runners.stop-replace", lambda: client.runners.stop(runner_id, replace_first=True))
refused("runners.kill", lambda: client.runners.kill(runner_id))
refused("keys.revoke", lambda: client.keys.revoke(key_id))
refused("secrets.unset", lambda: client.secrets.unset("HIDDEN_SECRET"))
refused("environments.delete", lambda: client.environments.delete("hidden-env"))
refused("apps.list in env", lambda: client.apps.list(environment_name="hidden-env"))
refused("secrets.list in env", lambda: client.secrets.list(environment_name="hidden-env"))
refused("secrets.set in env", lambda: client.secrets.set("A", "b", environment_name="hidden-env"))
with FalServerlessClient(client._grpc_host, client._credentials).connect() as connection:
    refused("list-rev", lambda: connection.list_applications("private"))
    refused("set-rev", lambda: connection.create_alias("mine", revision, "private"))
    refused("delete-rev", lambda: connection.delete_application(revision))
    refused("delete", lambda: connection.delete_alias("private"))
`,
        asRival(),
      ),
    );
    assert.match(seen, /^apps \[\]\nrunners \[\]\nsecrets \[\]\nenvironments \['main'\]\nkeys \[\]\n/);
    const verdicts = seen.split('\n').filter((line) => /^(ALLOWED|refused)/.test(line));
    assert.equal(verdicts.length, 16, seen);
    // The SDK itself turns "not found" into None when it deletes, and unset is idempotent; what counts is checked below.
    const harmless = /^ALLOWED (secrets\.unset None|delete None|list-rev \[\])$/;
    const allowed = verdicts.filter((line) => line.startsWith('ALLOWED') && !harmless.test(line));
    assert.deepEqual(allowed, [], seen);
    for (const line of verdicts.filter((verdict) => verdict.startsWith('refused')))
      assert.match(line, /not found|does not exist|no such/i);

    const after = ok(
      await platform.python(`
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
print([r.runner_id for r in client.runners.list() if r.alias == "private"], sorted(a.alias for a in client.apps.list()), client.secrets.list(), "${keyId}" in [k.key_id for k in client.keys.list()])
`),
    );
    assert.match(
      after,
      new RegExp(`^\\['${runnerId}'\\] \\['private', 'public', 'shared'\\] .*HIDDEN_SECRET.* True`),
      'everything is where it was',
    );

    for (const [path, method] of [
      [`/runners/${runnerId}`, 'GET'],
      [`/applications/acme/private/metadata`, 'GET'],
      [`/applications/rival/${revision}/metadata`, 'GET'],
    ] as const) {
      assert.equal((await rest(path, { method, key: rivalKey })).status, 404, path);
    }
    const logs = await rest(`/logs/history?job_id=${runnerId}`, { method: 'POST', key: rivalKey });
    assert.ok(
      logs.status === 404 || ((await logs.json()) as { items: unknown[] }).items.length === 0,
      'no line of a foreign runner',
    );
    const stream = await rest(`/logs/stream?job_id=${runnerId}&until=2000-01-01T00:00:00Z`, {
      method: 'POST',
      key: rivalKey,
    });
    assert.doesNotMatch(await stream.text(), /"message"/);
    const metrics = await rest('/applications/metrics', { method: 'GET', key: rivalKey });
    assert.deepEqual(((await metrics.json()) as { apps: object }).apps, {});
  });

  it('does not tell which files the other account has uploaded', async () => {
    const content = 'a file that both accounts may have';
    const mode = '33188';
    const hash = createHash('sha256').update(content).update(mode).digest('hex');
    const missing = async (key: string): Promise<unknown> =>
      (await rest('/files/missing_hashes', { method: 'POST', key, body: JSON.stringify({ hashes: [hash] }) })).json();
    const key = platform.variables['FAL_KEY']!;
    const begun = await rest(`/files/app/multipart/${hash}/initiate`, {
      method: 'POST',
      key,
      body: JSON.stringify({ mode, size: String(content.length) }),
    });
    const { upload_id: uploadId } = (await begun.json()) as { upload_id: string };
    const upload = `/files/app/multipart/${hash}/${uploadId}`;
    const putPart = (by: string): Promise<Response> => {
      const body = new FormData();
      body.set('file_upload', new Blob([content]), 'file');
      return fetch(`http://127.0.0.1:${httpPort}${upload}/1`, {
        method: 'PUT',
        body,
        headers: { authorization: `Key ${by}` },
      });
    };
    assert.equal((await putPart(rivalKey)).status, 404, 'no part into a foreign upload');
    const part = (await (await putPart(key)).json()) as { etag: string };
    const parts = JSON.stringify({ parts: [{ part_number: 1, etag: part.etag }], metadata: { mode } });
    assert.equal((await rest(`${upload}/complete`, { method: 'POST', key: rivalKey, body: parts })).status, 404);
    const completed = await rest(`${upload}/complete`, { method: 'POST', key, body: parts });
    assert.equal(completed.status, 200, await completed.text());
    assert.deepEqual(await missing(key), []);
    assert.deepEqual(await missing(rivalKey), [hash]);
  });

  it('keeps names, code and /data apart', async () => {
    ok(
      await platform.fal(
        ['deploy', 'test/system/apps/hostile.py::Hostile', '--app-name', 'private', '--auth', 'private'],
        asRival(),
      ),
    );
    const rivalCall = async (path: string): Promise<unknown> => {
      const response = await fetch(`http://127.0.0.1:${httpPort}/run/rival/private${path}`, {
        ...post,
        headers: { ...post.headers, authorization: `Key ${rivalKey}` },
      });
      assert.equal(response.status, 200, await response.clone().text());
      return response.json();
    };
    const ownCall = async (path: string): Promise<unknown> => {
      const response = await platform.call(`/private${path}`, post);
      assert.equal(response.status, 200, await response.clone().text());
      return response.json();
    };
    assert.deepEqual(await ownCall('/write-data?text=acme'), { before: null });
    assert.deepEqual(await rivalCall('/write-data?text=rival'), { before: null }, "/data is the account's own");
    assert.deepEqual(await ownCall('/write-data?text=again'), { before: 'acme' });
    const [own, theirs] = [
      (await ownCall('/')) as { uid: number; host: string },
      (await rivalCall('/')) as { uid: number; host: string },
    ];
    assert.notEqual(own.host, theirs.host);
    assert.equal(
      (
        await fetch(`http://127.0.0.1:${httpPort}/run/rival/private/`, {
          ...post,
          headers: { ...post.headers, authorization: `Key ${platform.variables['FAL_KEY']}` },
        })
      ).status,
      404,
    );
    ok(await platform.fal(['apps', 'delete', 'private'], asRival()));
    assert.equal((await platform.call('/private/', post)).status, 200, 'the app of the same name lives on');
  });
});
