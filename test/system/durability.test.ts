import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type CommandResult, type Platform } from './platform.ts';

/** Sets secrets one after the other and says which ones the server has acknowledged, until it is gone. */
const secretsLoop = `
import sys, itertools
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
prefix = sys.stdin.readline().strip()
for i in itertools.count():
    try:
        client.secrets.set(f"{prefix}_{i}", "value")
    except BaseException as error:
        print("ended", type(error).__name__, flush=True)
        break
    print("acknowledged", f"{prefix}_{i}", flush=True)
`;

describe('what was acknowledged before kill -9', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const first = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', 'app-0']);
    assert.equal(first.code, 0, first.stdout + first.stderr);
  });
  after(() => platform.stop());
  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };

  it('is there afterwards: secrets set in a loop', async () => {
    for (const prefix of ['FIRST', 'SECOND', 'THIRD']) {
      let output = '';
      const enough = Promise.withResolvers<void>();
      const stop = new AbortController();
      const loop = platform.python(secretsLoop, {
        input: `${prefix}\n`,
        signal: stop.signal,
        onStdout: (text) => {
          output += text;
          if (output.split('acknowledged').length > 12) enough.resolve();
        },
      });
      await Promise.race([enough.promise, loop.then(({ stdout, stderr }) => assert.fail(stdout + stderr))]);
      await platform.killServer();
      stop.abort();
      output = (await loop).stdout;
      await platform.startServer();
      const listed = ok(await platform.fal(['secrets', 'list', '--output', 'json']));
      const acknowledged = [...output.matchAll(/^acknowledged (\w+)$/gm)].map((match) => match[1]!);
      assert.ok(acknowledged.length >= 12);
      for (const name of acknowledged) assert.match(listed, new RegExp(`"${name}"`));
    }
  });

  it('is there afterwards: deploys, and one under way is there whole or not at all', async () => {
    const acknowledged = new Set(['app-0']);
    for (const [index, delayMs] of [600, 1_200, 2_000, 3_000].entries()) {
      const name = `app-${index + 1}`;
      const deploying = platform.fal(
        ['deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', name, '--output', 'json'],
        { timeoutMs: 60_000 },
      );
      await new Promise((settle) => setTimeout(settle, delayMs));
      await platform.killServer();
      await platform.startServer();
      const { code, stdout } = await deploying;
      if (code === 0) {
        assert.match(stdout, /"status": "deployed"/);
        acknowledged.add(name);
      }
      const { apps } = JSON.parse(ok(await platform.fal(['apps', 'list', '--output', 'json']))) as {
        apps: { alias: string }[];
      };
      const present = new Set(apps.map(({ alias }) => alias));
      for (const alias of acknowledged) assert.ok(present.has(alias), `${alias} was acknowledged`);
      for (const alias of present) {
        const response = await platform.call(`/${alias}/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"a": 1}',
        });
        assert.equal(response.status, 200, `${alias}: ${await response.text()}`);
      }
    }
    ok(await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', 'after-all']));
  });

  it('is there afterwards: revoked keys stay revoked, scaling stays', async () => {
    const key = /FAL_KEY='([^']+)'/.exec(ok(await platform.fal(['keys', 'create', '--scope', 'ADMIN'])))![1]!;
    ok(await platform.fal(['apps', 'scale', 'app-0', '--keep-alive', '77']));
    ok(await platform.fal(['keys', 'revoke', key.split(':')[0]!]));
    await platform.killServer();
    await platform.startServer();
    assert.equal((await platform.call('/app-0/', { method: 'POST', key })).status, 401);
    const { apps } = JSON.parse(ok(await platform.fal(['apps', 'list', '--output', 'json']))) as {
      apps: { alias: string; keep_alive: number }[];
    };
    assert.equal(apps.find(({ alias }) => alias === 'app-0')?.keep_alive, 77);
  });
});
