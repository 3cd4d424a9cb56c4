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

  it('has every line that was printed around its death, once', async () => {
    const lines = 1500;
    const deployed = await platform.fal(['deploy', 'test/system/apps/printing.py::PrintingApp']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const post = async (path: string): Promise<unknown> => {
      const response = await platform.call(`/printing-app${path}`, { method: 'POST' });
      assert.equal(response.status, 200, await response.clone().text());
      return response.json();
    };
    const { job } = (await post(`/start?lines=${lines}`)) as { job: string };
    for (const killAt of [100, 600]) {
      while (((await post('/printed')) as number) < killAt);
      await platform.killServer();
      await platform.startServer();
    }
    while (((await post('/printed')) as number) < lines);
    const numbers = async (): Promise<number[]> => {
      const response = await fetch(`${platform.clearOrigin}/logs/history?job_id=${job}&page_size=5000&search=tick`, {
        method: 'POST',
        headers: { authorization: `Key ${platform.variables['FAL_KEY']}` },
      });
      assert.equal(response.status, 200, await response.clone().text());
      const { items } = (await response.json()) as { items: { message: string }[] };
      return items.map(({ message }) => Number(/^tick (\d+)\.$/.exec(message)?.[1])).toReversed();
    };
    let found = await numbers();
    while (found.at(-1) !== lines - 1) found = await numbers();
    assert.deepEqual(
      found,
      Array.from({ length: lines }, (_, index) => index),
    );
  });
});
