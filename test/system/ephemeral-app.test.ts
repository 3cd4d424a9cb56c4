import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

describe('fal run of an app, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());

  it('answers while the command runs and is gone after', async () => {
    const stop = new AbortController();
    let output = '';
    let announce: (path: string) => void;
    const announced = new Promise<string>((settle) => (announce = settle));
    const running = platform.fal(['run', 'test/system/apps/simple.py::SimpleApp'], {
      signal: stop.signal,
      env: { PYTHONUNBUFFERED: '1' },
      onStdout: (text) => {
        output += text;
        const found = /\/run\/acme(\/[\w-]+)/.exec(output.replace(/\n\s*/g, ''));
        if (found) announce(found[1]!);
      },
    });
    const path = await Promise.race([announced, running.then(({ stdout, stderr }) => assert.fail(stdout + stderr))]);
    const call = (key: string | null) =>
      platform.call(`${path}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a": 40, "b": 2}',
        key,
      });
    const response = await call(null);
    assert.equal(response.status, 200, 'public by default');
    assert.equal(((await response.json()) as { sum: number }).sum, 42);
    stop.abort();
    await running;
    const deadline = Date.now() + 10_000;
    let status = 200;
    while (status !== 404 && Date.now() < deadline) status = (await call(platform.variables['FAL_KEY']!)).status;
    assert.equal(status, 404);
  });
});
