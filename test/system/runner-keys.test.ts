import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type CommandResult, type Platform } from './platform.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

describe('the key that each runner gets', () => {
  let platform: Platform;
  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  before(async () => {
    platform = await startPlatform();
    ok(await platform.fal(['deploy', 'test/system/apps/various.py::Various']));
    ok(await platform.fal(['deploy', 'test/system/apps/various.py::Various', '--app-name', 'other']));
  });
  after(() => platform.stop());
  const ask = async <T>(path: string): Promise<T> => {
    const response = await platform.call(path, post);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as T;
  };

  it('is its own, calls apps and nothing more, and is in no listing', async () => {
    const { key } = await ask<{ key: string }>('/various/key');
    const { key: otherKey } = await ask<{ key: string }>('/other/key');
    assert.match(key, /^[0-9a-f-]{36}:/);
    assert.notEqual(key, otherKey);
    assert.notEqual(key, platform.variables['FAL_KEY']);
    assert.equal((await platform.call('/other/', { ...post, key })).status, 200);
    for (const args of [
      ['keys', 'list'],
      ['keys', 'create', '--scope', 'ADMIN'],
      ['secrets', 'list'],
      ['apps', 'delete', 'other'],
      ['deploy', 'test/system/apps/various.py::Various'],
    ]) {
      const { code, stdout, stderr } = await platform.fal(args, { env: { FAL_KEY: key } });
      assert.equal(code, 1, args.join(' '));
      assert.match(stdout + stderr, /Insufficient permissions|permission/i, args.join(' '));
    }
    assert.doesNotMatch(ok(await platform.fal(['keys', 'list', '--output', 'json'])), new RegExp(key.split(':')[0]!));
  });

  it('lets an app call another one over TLS, by the variables it finds', async () => {
    const { answer, job } = await ask<{ answer: { job: string }; job: string }>('/various/nested?target=acme/other');
    assert.notEqual(answer.job, job);
    assert.equal(typeof answer.job, 'string');
  });

  it('outlives a crash of the server with its runner, and is worth nothing once the runner has ended', async () => {
    const { key } = await ask<{ key: string }>('/various/key');
    await platform.killServer();
    await platform.startServer();
    assert.equal((await platform.call('/other/', { ...post, key })).status, 200, 'the adopted runner keeps its key');
    assert.equal((await ask<{ key: string }>('/various/key')).key, key);
    ok(await platform.fal(['apps', 'rollout', 'various', '--force']));
    await eventually(async () => assert.equal((await platform.call('/other/', { ...post, key })).status, 401), 15_000);
    assert.notEqual((await ask<{ key: string }>('/various/key')).key, key);
  });
});
