import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

describe('keys, secrets and environments, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());

  const ok = async (args: string[], env?: Record<string, string>): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args, env ? { env } : {});
    assert.equal(code, 0, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };

  it('creates a key that works, lists it without its secret, and revokes it at once', async () => {
    const created = await ok(['keys', 'create', '--scope', 'ADMIN', '--desc', 'for a test']);
    const key = /FAL_KEY='([^']+)'/.exec(created)?.[1];
    assert.ok(key, created);
    const [keyId, keySecret] = key.split(':') as [string, string];
    await ok(['apps', 'list'], { FAL_KEY: key });
    const listed = await ok(['keys', 'list', '--output', 'json']);
    assert.match(listed, new RegExp(keyId));
    assert.match(listed, /for a test/);
    assert.doesNotMatch(listed, new RegExp(keySecret));
    await ok(['keys', 'revoke', keyId]);
    const refused = await platform.fal(['apps', 'list'], { env: { FAL_KEY: key } });
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /No user found for Key ID and Secret/);
  });

  it('does not let an API key manage the account', async () => {
    const created = await ok(['keys', 'create', '--preset', 'API']);
    const key = /FAL_KEY='([^']+)'/.exec(created)![1]!;
    const refused = await platform.fal(['keys', 'list'], { env: { FAL_KEY: key } });
    assert.equal(refused.code, 1);
    assert.match(refused.stdout + refused.stderr, /Insufficient permissions/);
  });

  it('never shows a secret again and keeps environments apart', async () => {
    await ok(['environments', 'create', 'qa', '--description', 'for quality']);
    assert.match(await ok(['environments', 'list', '--output', 'json']), /for quality/);
    await ok(['secrets', 'set', 'TOKEN=very-secret-value', '--env', 'qa']);
    const listed = await ok(['secrets', 'list', '--env', 'qa', '--output', 'json']);
    assert.match(listed, /TOKEN/);
    assert.doesNotMatch(listed, /very-secret-value/);
    assert.doesNotMatch(await ok(['secrets', 'list', '--output', 'json']), /TOKEN/);
    await ok(['secrets', 'unset', 'TOKEN', '--env', 'qa']);
    assert.doesNotMatch(await ok(['secrets', 'list', '--env', 'qa', '--output', 'json']), /TOKEN/);
    const duplicate = await platform.fal(['environments', 'create', 'qa']);
    assert.equal(duplicate.code, 1);
  });

  it('serves the SDK the same way', async () => {
    const { code, stdout, stderr } = await platform.python(`
from fal.api import SyncServerlessClient
from fal.sdk import KeyScope
client = SyncServerlessClient()
key_id, secret = client.keys.create(scope=KeyScope.API, description="sdk")
assert any(key.key_id == key_id for key in client.keys.list())
client.keys.revoke(key_id)
assert all(key.key_id != key_id for key in client.keys.list())
client.secrets.set("FROM_SDK", "1")
assert [s.name for s in client.secrets.list()] == ["FROM_SDK"]
client.secrets.unset("FROM_SDK")
assert client.apps.list() == []
assert client.runners.list() == []
try:
    client.runners.stop("no-such-runner")
except Exception as error:
    assert "not found" in str(error).lower(), error
result = client.deploy("test/system/apps/simple.py::SimpleApp", app_name="from-sdk", auth="private")
assert result.app_name == "from-sdk" and result.auth_mode == "private", result
assert "/" in result.urls["sync"], result.urls
info = client.apps.scale("from-sdk", keep_alive=33, max_concurrency=3)
assert (info.keep_alive, info.max_concurrency, info.alias) == (33, 3, "from-sdk"), info
print("all good")
`);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /all good/);
  });
});
