import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { createVirtualClock, type VirtualClock } from '../lib/virtual-clock.ts';
import type { LogLine } from './log-line.ts';
import { createRunnerLogs, type RunnerLogLimits } from './create-runner-logs.ts';
import { createLogger } from './logger.ts';
import type { RunnerLogs } from './runner-logs.ts';

const owner = { accountId: 'acc_1', appName: 'alice/hello', revisionId: 'rev_1' };
const lineAt = (atMs: number, line = `line ${atMs}`): LogLine => ({ atMs, source: 'user', level: 'stdout', line });

interface Fixture extends AsyncDisposable {
  directory: string;
  clock: VirtualClock;
  open(limits?: Partial<RunnerLogLimits>): RunnerLogs;
}

async function createFixture(): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'lanner-logs-'));
  const clock = createVirtualClock();
  const directory = join(root, 'logs', 'runners');
  const opened: RunnerLogs[] = [];
  return {
    directory,
    clock,
    open(limits = {}) {
      const logs = createRunnerLogs({ directory, clock, log: createLogger({ level: 'silent' }), limits });
      opened.push(logs);
      return logs;
    },
    async [Symbol.asyncDispose]() {
      for (const logs of opened) await logs.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function bytesBelow(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory, { recursive: true })) {
    const info = await stat(join(directory, name));
    if (info.isFile() && name.endsWith('.ndjson')) bytes += info.size;
  }
  return bytes;
}

describe('runner logs', () => {
  it('are read newest first, within a range, up to a limit', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open();
    for (let atMs = 1; atMs <= 10; atMs += 1) logs.append('r1', owner, lineAt(atMs), null);
    const read = async (range: { sinceMs?: number; untilMs?: number; limit: number }): Promise<number[]> =>
      (await logs.read('acc_1', 'r1', range)).map(({ atMs }) => atMs);
    assert.deepEqual(await read({ limit: 3 }), [10, 9, 8]);
    assert.deepEqual(await read({ sinceMs: 4, untilMs: 6, limit: 100 }), [6, 5, 4]);
    assert.deepEqual(await read({ limit: 0 }), []);
  });

  it('keep everything that belongs to a line', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open();
    const line: LogLine = {
      atMs: 5,
      source: 'bridge',
      level: 'error',
      line: 'ü\n"quoted"',
      labels: { fal_request_id: 'x' },
    };
    logs.append('r1', owner, line, null);
    logs.append('r1', owner, lineAt(6), null);
    assert.deepEqual(await logs.read('acc_1', 'r1', { limit: 10 }), [lineAt(6), line]);
  });

  it('are the same from memory and from disk, and of one request when asked for', async () => {
    await using fixture = await createFixture();
    await fixture.clock.advance(1000);
    const logs = fixture.open({ recentLines: 3 });
    const append = (atMs: number): void =>
      logs.append('r1', owner, { ...lineAt(atMs), labels: { fal_request_id: atMs % 2 === 0 ? 'even' : 'odd' } }, null);
    for (let atMs = 1001; atMs <= 1010; atMs += 1) append(atMs);
    const read = async (sinceMs: number, limit = 100): Promise<number[]> =>
      (await logs.read('acc_1', 'r1', { sinceMs, requestId: 'even', limit })).map(({ atMs }) => atMs);
    assert.deepEqual(await read(1008), [1010, 1008]);
    assert.deepEqual(await read(1008, 1), [1010]);
    assert.deepEqual(await read(1001), [1010, 1008, 1006, 1004, 1002]);
    await assert.rejects(logs.read('acc_2', 'r1', { sinceMs: 1008, limit: 1 }), { code: 'runner_not_found' });
  });

  it('survive a restart, and go on behind what was there', async () => {
    await using fixture = await createFixture();
    const before = fixture.open();
    before.append('r1', owner, lineAt(1), null);
    await before.close();
    const after = fixture.open();
    assert.deepEqual(await after.read('acc_1', 'r1', { limit: 10 }), [lineAt(1)]);
    after.append('r1', owner, lineAt(2), null);
    assert.deepEqual(await after.read('acc_1', 'r1', { limit: 10 }), [lineAt(2), lineAt(1)]);
  });

  it('skip a line that a crash cut off', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open();
    logs.append('r1', owner, lineAt(1), null);
    await logs.read('acc_1', 'r1', { limit: 1 });
    await appendFile(join(fixture.directory, 'r1', '00000001.ndjson'), '[2,"user","std');
    assert.deepEqual(await fixture.open().read('acc_1', 'r1', { limit: 10 }), [lineAt(1)]);
  });

  it('that come again after a restart are not written again', async () => {
    await using fixture = await createFixture();
    const before = fixture.open({ flushDelayMs: 100 });
    before.append('r1', owner, lineAt(1), 7);
    before.append('r1', owner, { ...lineAt(2), labels: { fal_request_id: 'a' } }, 9);
    before.append('r1', owner, lineAt(3, 'of the platform [1,2]'), null);
    await fixture.clock.advance(100);
    await before.written();
    before.append('r1', owner, lineAt(4), 12);
    // Killed: what was not written yet comes again, and with it what was.
    const after = fixture.open();
    after.append('r1', owner, lineAt(1), 7);
    after.append('r1', owner, lineAt(2), 9);
    after.append('r1', owner, lineAt(4), 12);
    after.append('r1', owner, lineAt(5), 13);
    const times = async (logs: RunnerLogs): Promise<number[]> =>
      (await logs.read('acc_1', 'r1', { limit: 10 })).map(({ atMs }) => atMs);
    assert.deepEqual(await times(after), [5, 4, 3, 2, 1]);
    after.append('r1', owner, lineAt(6), 14);
    assert.deepEqual(await times(after), [6, 5, 4, 3, 2, 1]);
  });

  it('go on behind a line that a crash cut off', async () => {
    await using fixture = await createFixture();
    const before = fixture.open();
    before.append('r1', owner, lineAt(1), 1);
    await before.close();
    await appendFile(join(fixture.directory, 'r1', '00000001.ndjson'), '[2,"user","std');
    const after = fixture.open();
    after.append('r1', owner, lineAt(2), 2);
    assert.deepEqual(await after.read('acc_1', 'r1', { limit: 10 }), [lineAt(2), lineAt(1)]);
  });

  it('tell when the lines so far are written', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ flushDelayMs: 100 });
    await logs.written();
    logs.append('r1', owner, lineAt(1), 1);
    let isWritten = false;
    const written = logs.written().then(() => (isWritten = true));
    await fixture.clock.advance(99);
    assert.equal(isWritten, false);
    await fixture.clock.advance(1);
    await written;
    assert.ok((await bytesBelow(fixture.directory)) > 0);
  });

  it('belong to their account', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open();
    logs.append('r1', owner, lineAt(1), null);
    for (const [accountId, runnerId] of [
      ['acc_2', 'r1'],
      ['acc_1', 'r2'],
      ['acc_1', '../runners/r1'],
      ['acc_1', ''],
    ] as const) {
      await assert.rejects(
        logs.read(accountId, runnerId, { limit: 1 }),
        (error) => isLannerError(error) && error.code === 'runner_not_found',
      );
    }
  });

  it('are written in the background, together', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ flushDelayMs: 100 });
    logs.append('r1', owner, lineAt(1), null);
    logs.append('r1', owner, lineAt(2), null);
    await assert.rejects(readdir(fixture.directory));
    await fixture.clock.advance(100);
    await logs.close();
    assert.ok((await bytesBelow(fixture.directory)) > 0);
    assert.equal(fixture.clock.pendingTimers, 0);
  });

  it('keep to the limit of a runner by dropping the oldest lines', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ runnerBytes: 8_000 });
    for (let atMs = 1; atMs <= 500; atMs += 1) {
      logs.append('r1', owner, lineAt(atMs, 'x'.repeat(100)), null);
      if (atMs % 10 === 0) await logs.read('acc_1', 'r1', { limit: 1 });
    }
    const bytes = await bytesBelow(fixture.directory);
    assert.ok(bytes <= 8_000 + 2_000 && bytes >= 4_000, `${bytes} bytes are kept`);
    assert.equal((await logs.read('acc_1', 'r1', { limit: 1 }))[0]!.atMs, 500);
  });

  it('keep to the limit of all by dropping the runner that was silent longest', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ totalBytes: 3_000, recentRunners: 2 });
    for (let runner = 1; runner <= 20; runner += 1) {
      for (let atMs = 1; atMs <= 10; atMs += 1)
        logs.append(`r${runner}`, owner, lineAt(runner * 100 + atMs, 'x'.repeat(50)), null);
      await logs.read('acc_1', `r${runner}`, { limit: 1 });
    }
    assert.ok((await bytesBelow(fixture.directory)) <= 3_000);
    await assert.rejects(logs.read('acc_1', 'r1', { limit: 1 }));
    assert.equal((await logs.read('acc_1', 'r20', { limit: 1 })).length, 1);
  });

  it('have their last lines in memory', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ recentLines: 5 });
    for (let atMs = 1; atMs <= 100; atMs += 1) logs.append('r1', owner, lineAt(atMs), null);
    assert.deepEqual(
      logs.recent('r1', 2).map(({ atMs }) => atMs),
      [99, 100],
    );
    assert.equal(logs.recent('r1', 1000).length, 5);
    assert.deepEqual(logs.recent('nobody', 5), []);
    assert.deepEqual(logs.recent('r1', 0), []);
  });

  it('cut endless lines and count the ones that come too fast', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open({ lineLength: 10, pendingBytes: 500 });
    logs.append('r1', owner, lineAt(1, 'y'.repeat(50)), null);
    for (let atMs = 2; atMs <= 100; atMs += 1) logs.append('r1', owner, lineAt(atMs), null);
    const lines = await logs.read('acc_1', 'r1', { limit: 1000 });
    assert.match(lines[0]!.line, /dropped \d+ lines/);
    assert.equal(lines.at(-1)!.line, 'yyyyyyyyyy… (cut)');
    assert.ok(lines.length < 50);
  });

  it('ignore lines after close', async () => {
    await using fixture = await createFixture();
    const logs = fixture.open();
    logs.append('r1', owner, lineAt(1), null);
    await logs.close();
    logs.append('r1', owner, lineAt(2), null);
    assert.equal((await logs.read('acc_1', 'r1', { limit: 10 })).length, 1);
    assert.equal(fixture.clock.pendingTimers, 0);
  });
});
