import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

const servers = 'test/system/apps/servers.py';

describe('functions and apps that serve HTTP in their own way', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());

  const deploy = async (name: string, ...more: string[]): Promise<void> => {
    const { code, stdout, stderr } = await platform.fal(['deploy', `${servers}::${name}`, ...more]);
    assert.equal(code, 0, stdout + stderr);
  };
  const answer = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await platform.call(path, { method });
    return [response.status, await response.text()];
  };
  const metadata = async (name: string): Promise<Record<string, object>> => {
    const { stdout } = await platform.python(`
import os, httpx
print(httpx.get(f"https://{os.environ['FAL_REST_HOST']}/applications/acme/${name}/metadata", headers={"authorization": "Key " + os.environ["FAL_KEY"]}).text)
`);
    return JSON.parse(stdout) as Record<string, object>;
  };

  it('serves a plain function on its port, without openapi', async () => {
    await deploy('plain_server');
    assert.deepEqual(await answer('/plain_server/'), [200, 'plain']);
    assert.equal((await metadata('plain_server'))['openapi'], undefined);
  });

  it('serves a function with serve=True on the port of its choice, with its metadata', async () => {
    await deploy('served', '--message', 'what changed', '--annotation', 'team=core', '--annotation', 'x=a=b');
    assert.deepEqual(await answer('/served/?x=5', 'POST'), [200, '{"doubled":10}']);
    assert.equal((await answer('/served/health', 'GET'))[0], 404);
    const { openapi, message, annotations } = await metadata('served');
    assert.deepEqual(
      Object.keys(openapi!)
        .filter((key) => !key.startsWith('x-'))
        .toSorted(),
      ['components', 'info', 'openapi', 'paths'],
    );
    assert.equal(message, 'what changed');
    assert.deepEqual(annotations, { team: 'core', x: 'a=b' });
  });

  it('takes the declared health check alone, by GET where only that is served', async () => {
    await deploy('with_health_path');
    assert.deepEqual(await answer('/with_health_path/'), [200, 'served']);
    assert.deepEqual(await answer('/with_health_path/alive'), [200, 'alive']);
    assert.deepEqual(await answer('/with_health_path/health'), [502, 'not this one']);
    await deploy('Watched');
    assert.deepEqual(await answer('/watched/', 'POST'), [200, '{"ok":true}']);
    assert.deepEqual(await answer('/watched/check', 'POST'), [200, '{"checked":true}']);
    assert.deepEqual(await answer('/watched/health', 'POST'), [502, 'ill']);
  });

  it('registers a function that listens elsewhere, and tells callers so after one start', async () => {
    await deploy('on_another_port', '--strategy', 'recreate');
    const startedMs = performance.now();
    const [status, text] = await answer('/on_another_port/');
    assert.equal(status, 504, text);
    assert.match(text, /not ready within 4 s: nothing listens on port 8000\./);
    assert.ok(performance.now() - startedMs < 7_500, 'no second start before the answer');
    const rolling = await platform.fal(['deploy', `${servers}::on_another_port`]);
    assert.equal(rolling.code, 1);
    assert.match(rolling.stdout, /was not activated/);
  });
});
