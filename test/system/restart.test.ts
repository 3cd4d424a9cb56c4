import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

const json = { 'content-type': 'application/json' };

describe('a server killed with -9 and started again', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform.stop());

  const pidOfRunner = async (): Promise<{ job: string; calls: number }> => {
    const response = await platform.call('/simple-app/', { method: 'POST', headers: json, body: '{"a":1}' });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as { job: string; calls: number };
  };

  it('keeps running runners and everything it acknowledged', async () => {
    const first = await pidOfRunner();
    assert.equal((await platform.fal(['secrets', 'set', 'KEPT=1'])).code, 0);
    let stop = false;
    const load = Array.from({ length: 4 }, async () => {
      while (!stop)
        await platform.call('/simple-app/', { method: 'POST', headers: json, body: '{"a":1}' }).catch(() => undefined);
    });
    await pidOfRunner();
    await platform.killServer();
    stop = true;
    await Promise.all(load);
    await platform.startServer();
    const second = await pidOfRunner();
    assert.equal(second.job, first.job, 'the same runner answers');
    assert.ok(second.calls > first.calls);
    assert.match((await platform.fal(['secrets', 'list'])).stdout, /KEPT/);
  });
});
