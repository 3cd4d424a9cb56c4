import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunnerExit, RunnerResult, StartRunnerRequest, SupervisorEvent } from '@lanner/protocol';
import { blobRelativePath } from '@lanner/protocol';
import { pidsRunning } from '../testing/pids.ts';
import type { EventStream } from '../testing/api-client.ts';
import { startTestSupervisor, type TestSupervisor } from '../testing/test-supervisor.ts';

describe('a function in a real runner', () => {
  let test: TestSupervisor;
  let stream: EventStream;
  before(async () => {
    test = await startTestSupervisor();
    stream = await test.api.openEvents(0, { acknowledge: true });
  });
  after(async () => {
    stream?.close();
    await test?.stop();
  });

  const eventsOf = (runnerId: string): SupervisorEvent[] =>
    stream.events.filter((event) => 'runnerId' in event && event.runnerId === runnerId);
  const linesOf = (runnerId: string): string[] =>
    eventsOf(runnerId).flatMap((event) => (event.type === 'runner.log' && event.source === 'user' ? [event.line] : []));
  const run = async (source: string, more: Partial<StartRunnerRequest> = {}) => {
    const request = await test.request(source, more);
    await test.api.startRunner(request);
    const { runnerId } = request;
    const last = await stream.find((event) => event.type === 'runner.exited' && event.runnerId === runnerId);
    const result = eventsOf(runnerId).find((event) => event.type === 'runner.result') as
      | { result: RunnerResult }
      | undefined;
    return { runnerId, exit: (last as unknown as { exit: RunnerExit }).exit, result: result?.result };
  };

  it('returns its value, prints with levels and masked secrets, and its last event is the exit', async () => {
    const { runnerId, exit, result } = await run(
      `def main():
    import os, sys
    print('token is ' + os.environ['TOKEN'])
    print('WARNING: careful', file=sys.stderr)
    return {'x': 42}`,
      { env: { TOKEN: 'a-very-secret-token' } },
    );
    assert.equal(exit.reason, 'finished');
    assert.equal(result?.wasRaised, false);
    assert.equal(result?.failure, undefined);
    const logs = eventsOf(runnerId).filter((event) => event.type === 'runner.log' && event.source === 'user');
    assert.deepEqual(
      new Set(
        logs.map((event) => (event.type === 'runner.log' ? `${event.stream} ${event.level}: ${event.line}` : '')),
      ),
      new Set(['stdout info: token is ********', 'stderr warning: WARNING: careful']),
    );
    assert.deepEqual(
      eventsOf(runnerId)
        .filter((event) => event.type !== 'runner.log')
        .map((event) => ('phase' in event ? event.phase : event.type)),
      ['starting', 'setup', 'runner.result', 'runner.exited'],
    );
    const bytes = await test.api.call('GET', `/v1/runners/${runnerId}/result`);
    assert.equal(bytes.status, 200);
    assert.equal(bytes.bytes.length, result?.sizeBytes);
    assert.equal((await test.api.call('DELETE', `/v1/runners/${runnerId}/result`)).status, 204);
    assert.equal((await test.api.call('GET', `/v1/runners/${runnerId}/result`)).status, 404);
  });

  it('raises with traceback text, class name and message', async () => {
    const { exit, result } = await run(`def main():\n    raise ValueError('no good')`);
    assert.equal(exit.reason, 'finished');
    assert.equal(result?.wasRaised, true);
    assert.equal(result?.exceptionTypeName, 'ValueError');
    assert.equal(result?.exceptionMessage, 'no good');
    assert.match(result?.stringizedTraceback ?? '', /no good/);
  });

  it('says so when the result cannot be pickled', async () => {
    const { result } = await run(`def main():\n    import threading\n    return threading.Lock()`);
    assert.equal(result?.failure?.code, 'result_not_serializable');
    assert.match(result?.failure?.message ?? '', /Error while serializing the execution result/);
  });

  it('crashes when its process ends without a result, and the next run is not affected', async () => {
    const { exit, result } = await run(`def main():\n    import os\n    os._exit(3)`);
    assert.deepEqual([exit.reason, exit.code, exit.signal, result], ['crashed', 3, null, undefined]);
    assert.equal((await run(`def main():\n    return 1`)).exit.reason, 'finished');
  });

  it('gets a setup function’s result as its argument', async () => {
    const setup = { method: 'cloudpickle', blob: await test.pickle(`def main():\n    return 'from setup'`) };
    const blob = await test.pickle(`def main(value):\n    print('got ' + value)`);
    const { runnerId } = await run('def main(): pass', {
      callable: { kind: 'serialized', method: 'cloudpickle', blob, setup },
    });
    assert.deepEqual(linesOf(runnerId), ['got from setup']);
  });

  it('is over when it has returned, whatever threads it left behind', async () => {
    const { exit, result } = await run(`def main():
    import threading, time
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return 1`);
    assert.deepEqual([exit.reason, result?.wasRaised], ['finished', false]);
  });

  it('ends however short it is and however many run at once', async () => {
    const request = await test.request('def main():\n    return 1');
    const worker = async (name: string): Promise<void> => {
      for (let index = 0; index < 25; index += 1) {
        const runnerId = `run_${name}_${index}`;
        await test.api.startRunner({ ...request, runnerId });
        const event = await stream.find((each) => each.type === 'runner.exited' && each.runnerId === runnerId);
        assert.equal(event.type === 'runner.exited' && event.exit.reason, 'finished');
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(worker));
  });

  it('returns 48 MiB', async () => {
    const { runnerId, result } = await run(`def main():\n    return b'x' * (48 * 1024 * 1024)`);
    assert.ok((result?.sizeBytes ?? 0) > 48 * 1024 * 1024);
    const { bytes } = await test.api.call('GET', `/v1/runners/${runnerId}/result`);
    assert.equal(bytes.length, result?.sizeBytes);
    await test.api.call('DELETE', `/v1/runners/${runnerId}/result`);
  });

  it('finds its files below /app with their modes, and what it does to them stays its own', async () => {
    const hash = await test.putBlob('echo hello\n');
    const before = await stat(join(test.dataDir, 'blobs', blobRelativePath(hash)));
    const { runnerId, result } = await run(
      `def main():
    import os
    path = '/app/tools/run.sh'
    print(oct(os.stat(path).st_mode), open(path).read().strip())
    open(path, 'a').write('more')
    os.chmod(path, 0o777)`,
      { files: [{ hash, relativePath: 'tools/run.sh', mode: 0o100755 }] },
    );
    assert.equal(result?.wasRaised, false, result?.stringizedTraceback);
    assert.deepEqual(linesOf(runnerId), ['0o100755 echo hello']);
    const later = await stat(join(test.dataDir, 'blobs', blobRelativePath(hash)));
    assert.deepEqual([later.size, later.mode], [before.size, before.mode]);
  });

  it('refuses files that leave /app and callables that are not in the store', async () => {
    const hash = await test.putBlob('x');
    const outside = await run('def main(): pass', {
      files: [{ hash, relativePath: '../../etc/passwd', mode: 0o100644 }],
    });
    assert.equal(outside.exit.reason, 'sandbox_failed');
    assert.match(outside.exit.message, /leaves the app folder/);
    const missing = await run('def main(): pass', {
      callable: { kind: 'serialized', method: 'cloudpickle', blob: 'f'.repeat(64) },
    });
    assert.match(missing.exit.message, /not in the blob store/);
  });

  it('keeps /data between runners of an account', async () => {
    await run(`def main():\n    open('/data/note', 'w').write('kept')`);
    const { runnerId } = await run(`def main():\n    print(open('/data/note').read())`);
    assert.deepEqual(linesOf(runnerId), ['kept']);
  });

  it('fails with the build’s reason when its environment cannot be built', async () => {
    const { exit } = await run('def main(): pass', { environment: { kind: 'conda', configuration: {} } });
    assert.equal(exit.reason, 'build_failed');
    assert.match(exit.message, /conda/);
  });

  it('runs in a fresh zygote after the old one was killed', async () => {
    const request = await test.request(`def main():\n    return 1`);
    const killed = new Set<number>();
    for (const pid of pidsRunning(process.pid, 'zygote.py')) {
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
    assert.ok(killed.size > 0, 'a zygote was running');
    await test.api.startRunner(request);
    const last = await stream.find((event) => event.type === 'runner.exited' && event.runnerId === request.runnerId);
    assert.equal((last as unknown as { exit: RunnerExit }).exit.reason, 'finished');
  });

  it('prints without end, and neither memory nor the others suffer', async () => {
    const noisy = await test.request(`def main():
    import sys
    line = 'x' * 999 + '\\n'
    for _ in range(100):
        sys.stdout.write(line * 1000)`);
    const rssBefore = process.memoryUsage.rss();
    await test.api.startRunner(noisy);
    await stream.find((event) => event.type === 'runner.log' && event.runnerId === noisy.runnerId);
    const { exit, runnerId } = await run(`def main():\n    print('still here')`);
    assert.equal(exit.reason, 'finished');
    assert.deepEqual(linesOf(runnerId), ['still here']);
    await stream.find((event) => event.type === 'runner.exited' && event.runnerId === noisy.runnerId);
    const stored = eventsOf(noisy.runnerId).filter((event) => event.type === 'runner.log').length;
    const dropped = eventsOf(noisy.runnerId).reduce(
      (sum, event) => sum + (event.type === 'runner.log-gap' ? event.droppedLines : 0),
      0,
    );
    assert.equal(stored + dropped, 100_000);
    assert.ok(dropped > 20_000, `${dropped} lines dropped`);
    // This process holds the lines twice: it is server and client in one.
    assert.ok(process.memoryUsage.rss() - rssBefore < 400 * 1024 * 1024);
  });
});
