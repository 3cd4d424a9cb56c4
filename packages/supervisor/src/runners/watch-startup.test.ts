import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { systemClock, type Clock } from '@lanner/protocol';
import { eventually } from '../testing/eventually.ts';
import { freePort } from '../testing/free-port.ts';
import { watchStartup, type StartupWatch } from './watch-startup.ts';

/** Lines every 10 ms instead of every 5 s, regular health checks every 10 ms instead of every 15 s. */
const hastyClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, callback) => systemClock.setTimer(delayMs === 5_000 ? 10 : delayMs, callback),
  sleep: (delayMs, signal) => systemClock.sleep(delayMs === 15_000 ? 10 : delayMs, signal),
};

function startWatch(t: TestContext, port: number, more: Partial<StartupWatch['request']> = {}) {
  const ending = new AbortController();
  t.after(() => ending.abort(new Error('the test is over')));
  const seen = { lines: [] as string[], ends: [] as string[], ready: 0 };
  const done = watchStartup({
    request: { startupTimeoutMs: 60_000, ...more },
    address: '127.0.0.1',
    port,
    clock: hastyClock,
    listening: new Promise(() => {}),
    signal: ending.signal,
    onReady: () => {
      seen.ready += 1;
      return true;
    },
    onEnd: (reason, message) => {
      seen.ends.push(`${reason}: ${message}`);
      ending.abort(new Error('ended'));
    },
    say: (line) => seen.lines.push(line),
    onError: (error) => assert.fail(String(error)),
  });
  return { seen, done, ending };
}

/** A server that answers every request with the current status. */
async function startApp(t: TestContext, answer: { status: number }): Promise<number> {
  const server = createServer((_request, response) => response.writeHead(answer.status).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const healthCheck = { path: '/health', startPeriodMs: 0, timeoutMs: 1000, failureThreshold: 1, callRegularly: true };

describe('watchStartup', () => {
  it('says what an app lacks until its time is over', async (t) => {
    const port = await freePort();
    const { seen, done } = startWatch(t, port, { startupTimeoutMs: 200 });
    await done;
    const waits = new RegExp(`^Waiting for the app to become ready: nothing listens on port ${port} `);
    assert.ok(seen.lines.length > 1);
    for (const line of seen.lines) assert.match(line, waits);
    assert.deepEqual(seen.ends, [
      `startup_timeout: The app was not ready within 0 s: nothing listens on port ${port}.`,
    ]);
    assert.equal(seen.ready, 0);
  });

  it('is silent once the app is ready, and tells when its health goes', async (t) => {
    const answer = { status: 500 };
    const port = await startApp(t, answer);
    const { seen, done } = startWatch(t, port, { healthCheck });
    await eventually('a line about the health check', () =>
      seen.lines.at(-1)?.includes('the health check failed: /health answered 500'),
    );
    answer.status = 200;
    await eventually('ready', () => seen.ready === 1);
    const lines = seen.lines.length;
    answer.status = 503;
    await done;
    assert.match(seen.ends[0] ?? '', /^unhealthy: The health check failed: \/health answered 503/);
    assert.equal(seen.lines.length, lines);
  });

  it('tells nothing of a runner that ends by itself', async (t) => {
    const { seen, done, ending } = startWatch(t, await freePort());
    ending.abort(new Error('exited'));
    await done;
    const { length } = seen.lines;
    await hastyClock.sleep(30);
    assert.deepEqual([seen.ends, seen.ready, seen.lines.length], [[], 0, length]);
  });
});
