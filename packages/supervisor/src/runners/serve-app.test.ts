import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock, type Clock, type HealthCheck, type RunnerExit, type StartRunnerRequest } from '@lanner/protocol';
import type { EventStream } from '../testing/api-client.ts';
import { httpServer, sleeper } from '../testing/app-sources.ts';
import { freePort } from '../testing/free-port.ts';
import { startTestSupervisor, type TestSupervisor } from '../testing/test-supervisor.ts';

/** Regular health checks every 30 ms instead of every 15 s. */
const hastyClock: Clock = {
  ...systemClock,
  sleep: (delayMs, signal) => systemClock.sleep(delayMs === 15_000 ? 30 : delayMs, signal),
};

const healthCheck = (more: Partial<HealthCheck>): HealthCheck => ({
  path: '/',
  startPeriodMs: 0,
  timeoutMs: 2000,
  failureThreshold: 2,
  callRegularly: false,
  ...more,
});

for (const isProcessGroup of [false, true]) {
  describe(`an app in a real runner, ${isProcessGroup ? 'a plain process group' : 'isolated where possible'}`, () => {
    let test: TestSupervisor;
    let stream: EventStream;
    let port: number;
    before(async () => {
      port = await freePort();
      test = await startTestSupervisor({ clock: hastyClock, isProcessGroup });
      stream = await test.api.openEvents();
    });
    after(async () => {
      stream?.close();
      await test?.stop();
    });

    const start = async (source: string, more: Partial<StartRunnerRequest> = {}) => {
      const request = await test.request(source, { purpose: 'serve', exposedPort: port, ...more });
      const { address } = await test.api.startRunner(request);
      return { runnerId: request.runnerId, address };
    };
    const phase = (runnerId: string, name: string) =>
      stream.find((event) => event.type === 'runner.phase' && event.runnerId === runnerId && event.phase === name);
    const exit = async (runnerId: string): Promise<RunnerExit> => {
      const event = await stream.find((each) => each.type === 'runner.exited' && each.runnerId === runnerId);
      return (event as unknown as { exit: RunnerExit }).exit;
    };
    const printed = (runnerId: string, line: string) =>
      stream.find((event) => event.type === 'runner.log' && event.runnerId === runnerId && event.line === line);
    const stop = (runnerId: string, graceMs: number) =>
      test.api.call('POST', `/v1/runners/${runnerId}/stop`, { graceMs });

    it('is ready when its port is open; two that bind the same port both answer, and only at their own addresses', async () => {
      const [first, second] = await Promise.all([start(httpServer(port)), start(httpServer(port))]);
      await Promise.all([phase(first.runnerId, 'ready'), phase(second.runnerId, 'ready')]);
      assert.notEqual(first.address, second.address);
      const answers = await Promise.all(
        [first, second].map(async ({ address }) => (await fetch(`http://${address}:${port}/`)).text()),
      );
      assert.equal(new Set(answers).size, 2, 'host names differ');
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
      for (const { runnerId } of [first, second]) {
        assert.equal((await stop(runnerId, 5000)).status, 204);
        const { reason, signal } = await exit(runnerId);
        assert.deepEqual([reason, signal], ['stopped', 'SIGTERM']);
      }
      await assert.rejects(fetch(`http://${first.address}:${port}/`));
    });

    it('is ready only once its health check answers, by POST where GET is not allowed', async () => {
      const posts = await start(httpServer(port), { healthCheck: healthCheck({ path: '/post-only' }) });
      await phase(posts.runnerId, 'ready');
      const sick = await start(httpServer(port), {
        healthCheck: healthCheck({ path: '/sick' }),
        startupTimeoutMs: 1500,
        graceMs: 500,
      });
      const { reason, message } = await exit(sick.runnerId);
      assert.equal(reason, 'startup_timeout');
      assert.match(message, /not ready within 2 s: the health check failed: \/sick /);
      assert.equal(
        stream.events.some(
          (event) => event.type === 'runner.phase' && event.runnerId === sick.runnerId && event.phase === 'ready',
        ),
        false,
      );
      await test.api.call('POST', `/v1/runners/${posts.runnerId}/kill`);
      assert.equal((await exit(posts.runnerId)).reason, 'killed');
    });

    it('is ended as unhealthy after so many bad answers in a row', async () => {
      const source = httpServer(port)
        .replace("if self.path == '/sick':", "if self.path == '/sick' and sick:")
        .replace('class Handler', 'sick = []\n    class Handler')
        .replace('do_POST(self):', 'do_POST(self):\n            sick.append(1)');
      const app = await start(source, {
        healthCheck: healthCheck({ path: '/sick', method: 'GET', callRegularly: true }),
      });
      await phase(app.runnerId, 'ready');
      await fetch(`http://${app.address}:${port}/`, { method: 'POST' });
      const { reason, message } = await exit(app.runnerId);
      assert.equal(reason, 'unhealthy');
      assert.match(message, /\/sick answered 500/);
    });

    it('runs out of its startup time when it never listens', async () => {
      const app = await start(sleeper, { startupTimeoutMs: 300, graceMs: 200 });
      assert.equal((await exit(app.runnerId)).reason, 'startup_timeout');
    });

    it('has crashed when it returns, raises or exits instead of serving, and the log has the traceback', async () => {
      const returns = await start('def main(): return 1');
      const { reason, code, message } = await exit(returns.runnerId);
      assert.deepEqual([reason, code], ['crashed', 0]);
      assert.match(message, new RegExp(`returned, but nothing listened on port ${port}`));
      const raises = await start('def main(): raise ValueError("bad luck")');
      assert.equal((await exit(raises.runnerId)).message, 'The app raised ValueError: bad luck');
      await printed(raises.runnerId, 'ValueError: bad luck');
      const exits = await start('def main():\n    import os\n    os._exit(3)');
      assert.deepEqual(await exit(exits.runnerId).then(({ reason, code }) => [reason, code]), ['crashed', 3]);
      const dies = await start('def main():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)');
      assert.deepEqual(await exit(dies.runnerId).then(({ reason, signal }) => [reason, signal]), [
        'crashed',
        'SIGSEGV',
      ]);
    });

    it('is killed when it ignores SIGTERM for longer than its grace, its children too', async () => {
      const app = await start(`def main():
    import signal, subprocess, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(['sleep', '3600'])
    print('ignoring', flush=True)
    while True:
        time.sleep(1)`);
      await printed(app.runnerId, 'ignoring');
      await stop(app.runnerId, 300);
      const { reason, signal } = await exit(app.runnerId);
      assert.deepEqual([reason, signal], ['stopped', 'SIGKILL']);
    });

    it('can be stopped before it has begun', async () => {
      const app = await start(httpServer(port));
      await stop(app.runnerId, 5000);
      assert.equal((await exit(app.runnerId)).reason, 'stopped');
    });

    it('gets an answer again when its start is repeated, and is known until its exit is acknowledged', async () => {
      const request = await test.request(sleeper, { purpose: 'serve', exposedPort: port });
      const first = await test.api.startRunner(request);
      assert.deepEqual(await test.api.startRunner(request), first);
      await stop(request.runnerId, 0);
      await exit(request.runnerId);
      const before = await test.api.status();
      assert.equal(before.runners.find((runner) => runner.runnerId === request.runnerId)?.exit?.reason, 'stopped');
      await test.api.call('POST', '/v1/events/ack', { bootId: before.bootId, seq: before.lastSeq });
      const later = await test.api.status();
      assert.equal(
        later.runners.some((runner) => runner.runnerId === request.runnerId),
        false,
      );
    });

    it('is told as out of memory when it needs more than its limit', async (context) => {
      const app = await start(
        `def main():
    import time
    time.sleep(1) # the group is entered beside the start
    hog = [b'x' * (8 * 1024 * 1024) for _ in range(60)]
    print('no limit', flush=True)
    time.sleep(3600)`,
        { limits: { memoryMiB: 128, cpus: 1 } },
      );
      const ended = await stream.find(
        (event) =>
          'runnerId' in event &&
          event.runnerId === app.runnerId &&
          (event.type === 'runner.exited' || (event.type === 'runner.log' && event.line === 'no limit')),
      );
      if (ended.type === 'runner.exited') return assert.equal(ended.exit.reason, 'out_of_memory');
      await test.api.call('POST', `/v1/runners/${app.runnerId}/kill`);
      context.skip('control groups are not writable here');
    });
  });
}
