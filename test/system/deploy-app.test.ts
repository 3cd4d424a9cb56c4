import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

const app = 'test/system/apps/simple.py::SimpleApp';
const json = { 'content-type': 'application/json' };

describe('fal deploy of an app, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', app, '--output', 'json']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const answer = JSON.parse(deployed.stdout.slice(deployed.stdout.indexOf('{'))) as Record<string, string>;
    assert.equal(answer['app_name'], 'simple-app');
    assert.equal(answer['status'], 'deployed');
    assert.match(answer['revision']!, /^[0-9a-f-]{36}$/);
  });
  after(() => platform.stop());

  const add = (init: { key?: string | null; body?: string } = {}) =>
    platform.call('/simple-app/', {
      method: 'POST',
      headers: json,
      body: init.body ?? '{"a": 2, "b": 3}',
      ...('key' in init ? { key: init.key ?? null } : {}),
    });

  it('answers calls with its key and an id on every answer', async () => {
    const response = await add();
    assert.equal(response.status, 200);
    assert.match(response.headers.get('x-fal-request-id') ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(((await response.json()) as { sum: number }).sum, 5);
  });

  it('answers 422 in pydantic shape for a bad input', async () => {
    const response = await add({ body: '{"a": "x"}' });
    assert.equal(response.status, 422);
    const body = (await response.json()) as { detail: { loc: unknown[]; msg: string; type: string }[] };
    assert.deepEqual(body.detail[0]?.loc, ['body', 'a']);
    assert.equal(response.headers.get('x-fal-billable-units'), '0');
  });

  it('refuses missing and wrong keys, and unknown apps', async () => {
    assert.equal((await add({ key: null })).status, 401);
    assert.equal((await add({ key: '00000000-0000-0000-0000-000000000000:nonsense' })).status, 401);
    assert.equal((await platform.call('/nothing-here/', { method: 'POST' })).status, 404);
    const unknownPath = await platform.call('/simple-app/nowhere', { method: 'POST' });
    assert.equal(unknownPath.status, 404);
    assert.match(await unknownPath.text(), /not found/i);
  });

  it('passes headers and bodies, with the reserved ones its own', async () => {
    const response = await platform.call('/simple-app/echo?x=1&y=%20', {
      method: 'POST',
      headers: { 'x-mine': 'kept', 'x-fal-endpoint': 'forged' },
      body: 'z'.repeat(300_000),
    });
    const seen = (await response.json()) as {
      headers: Record<string, string>;
      length: number;
      query: Record<string, string>;
    };
    assert.equal(seen.length, 300_000);
    assert.deepEqual(seen.query, { x: '1', y: ' ' });
    assert.equal(seen.headers['x-mine'], 'kept');
    assert.notEqual(seen.headers['x-fal-endpoint'], 'forged');
    assert.equal(seen.headers['x-fal-request-id'], response.headers.get('x-fal-request-id'));
    assert.ok(JSON.parse(seen.headers['x-fal-object-lifecycle-preference'] ?? 'null'));
    assert.equal(seen.headers['authorization'], undefined, "the caller's key stays with the gateway");
  });

  it('streams server-sent events as they are made', async () => {
    const response = await platform.call('/simple-app/events', { method: 'POST' });
    const arrivals: number[] = [];
    for await (const chunk of response.body!) {
      if (chunk.length > 0) arrivals.push(performance.now());
    }
    assert.ok(arrivals.length >= 3);
    assert.ok(arrivals.at(-1)! - arrivals[0]! > 400, 'events were not held back');
  });

  it('lets the official Python client call it, also with a wrong input', async () => {
    const { code, stdout, stderr } = await platform.python(`
import fal_client
print(fal_client.run("acme/simple-app", arguments={"a": 20, "b": 22})["sum"])
try:
    fal_client.run("acme/simple-app", arguments={"a": "no"})
except fal_client.client.FalClientHTTPError as error:
    print("status", error.status_code)
`);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^42$/m);
    assert.match(stdout, /status 422/);
  });

  it('keeps serving when a runner dies in the middle of a call', async () => {
    const response = await platform.call('/simple-app/exit', { method: 'POST' });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('x-fal-error-type'), 'runner_disconnected');
    assert.equal((await add()).status, 200);
  });

  it('lists, scales, redeploys, goes back, rolls out and deletes', async () => {
    const list = await platform.fal(['apps', 'list', '--output', 'json']);
    assert.equal(list.code, 0, list.stdout + list.stderr);
    const listed = (JSON.parse(list.stdout) as { apps: Record<string, unknown>[] }).apps[0]!;
    assert.equal(listed['alias'], 'simple-app');
    assert.equal(listed['auth_mode'], 'private');
    assert.equal(listed['keep_alive'], 60);
    assert.equal(listed['max_multiplexing'], 2);

    const scaled = await platform.fal([
      'apps',
      'scale',
      'simple-app',
      '--keep-alive',
      '123',
      '--max-concurrency',
      '5',
      '--max-multiplexing',
      '7',
    ]);
    assert.equal(scaled.code, 0, scaled.stdout + scaled.stderr);
    const redeployed = await platform.fal(['deploy', app, '--auth', 'public', '--output', 'json']);
    assert.equal(redeployed.code, 0, redeployed.stdout + redeployed.stderr);
    const again = (
      JSON.parse((await platform.fal(['apps', 'list', '--output', 'json'])).stdout) as {
        apps: Record<string, unknown>[];
      }
    ).apps[0]!;
    assert.equal(again['keep_alive'], 123, 'tunable settings survive');
    assert.equal(again['max_multiplexing'], 2, 'code settings come from the code');
    assert.equal(again['auth_mode'], 'public');
    assert.notEqual(again['revision'], listed['revision']);
    assert.equal((await add({ key: null })).status, 200, 'public needs no key');

    const revisions = await platform.fal(['apps', 'list-rev', 'simple-app']);
    assert.equal(revisions.code, 0, revisions.stdout + revisions.stderr);
    assert.match(revisions.stdout, new RegExp(String(listed['revision'])));
    const back = await platform.fal(['apps', 'set-rev', 'simple-app', String(listed['revision']), '--auth', 'private']);
    assert.equal(back.code, 0, back.stdout + back.stderr);
    assert.equal((await add({ key: null })).status, 401);

    assert.equal((await add()).status, 200);
    const before = await platform.fal(['apps', 'runners', 'simple-app', '--output', 'json']);
    assert.equal(before.code, 0, before.stdout + before.stderr);
    const rolled = await platform.fal(['apps', 'rollout', 'simple-app', '--force']);
    assert.equal(rolled.code, 0, rolled.stdout + rolled.stderr);
    assert.equal((await add()).status, 200);

    const reset = await platform.fal(['deploy', app, '--reset-scale', '--strategy', 'recreate']);
    assert.equal(reset.code, 0, reset.stdout + reset.stderr);
    const final = (
      JSON.parse((await platform.fal(['apps', 'list', '--output', 'json'])).stdout) as {
        apps: Record<string, unknown>[];
      }
    ).apps[0]!;
    assert.equal(final['keep_alive'], 60);

    const deleted = await platform.fal(['apps', 'delete', 'simple-app']);
    assert.equal(deleted.code, 0, deleted.stdout + deleted.stderr);
    assert.equal((await add()).status, 404);
  });

  it('deploys under another name and into another environment', async () => {
    assert.equal((await platform.fal(['environments', 'create', 'staging'])).code, 0);
    const deployed = await platform.fal(['deploy', app, '--app-name', 'other', '--env', 'staging']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const response = await platform.call('/other--staging/', { method: 'POST', headers: json, body: '{"a":1}' });
    assert.equal(response.status, 200, await response.text());
    assert.doesNotMatch((await platform.fal(['apps', 'list', '--output', 'json'])).stdout, /other/);
    assert.match(
      (await platform.fal(['apps', 'list', '--env', 'staging', '--output', 'json'])).stdout,
      /other--staging/,
    );
  });

  it('does not move the alias when the new revision cannot start', async () => {
    const good = await platform.fal(['deploy', app, '--app-name', 'careful']);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    const bad = await platform.fal(['deploy', 'test/system/apps/broken.py::Broken', '--app-name', 'careful']);
    assert.equal(bad.code, 1, bad.stdout + bad.stderr);
    assert.match(bad.stdout + bad.stderr, /setup fails on purpose/);
    const response = await platform.call('/careful/', { method: 'POST', headers: json, body: '{"a":1}' });
    assert.equal(response.status, 200);
  });
});
