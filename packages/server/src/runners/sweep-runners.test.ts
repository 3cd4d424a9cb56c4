import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import type { RunnerStore } from './runner-store.ts';
import { runnerRetention, sweepRunners } from './sweep-runners.ts';
import { createInMemoryRunnerStore } from './testing/in-memory-runner-store.ts';

const dayMs = 24 * 60 * 60 * 1000;

async function addEnded(store: RunnerStore, runnerId: string, endedAtMs: number): Promise<void> {
  await store.begin({
    ...{ runnerId, accountId: 'ada', environmentName: 'main', aliasId: null, aliasName: 'hello' },
    ...{ revisionId: 'rev-1', machineType: 'XS', startReason: 'need', startedAtMs: 0 },
  });
  await store.end(runnerId, { endedAtMs, endReason: 'idle', wasReplaced: false });
}

describe('the upkeep of ended runners', () => {
  const sweeping = (store: Pick<RunnerStore, 'sweep'>) => {
    const clock = createVirtualClock();
    const ending = new AbortController();
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
    const swept = sweepRunners({ store, clock, log }, ending.signal);
    return { clock, warnings, stop: () => (ending.abort(), swept) };
  };
  const idsOf = async (store: RunnerStore): Promise<string[]> =>
    (await store.listEnded('ada', { aliasName: null, endedSinceMs: 0, limit: 10_000 })).map(({ runnerId }) => runnerId);

  it('removes those that ended more than a day ago, at the start and while time passes', async () => {
    const store = createInMemoryRunnerStore();
    const startMs = createVirtualClock().nowMs();
    await addEnded(store, 'old', startMs - dayMs - 1);
    await addEnded(store, 'yesterday', startMs - dayMs + 60_000);
    await addEnded(store, 'new', startMs);
    const { clock, warnings, stop } = sweeping(store);
    await clock.advance(0);
    assert.deepEqual(await idsOf(store), ['yesterday', 'new']);
    await clock.advance(10 * 60_000);
    assert.deepEqual(await idsOf(store), ['new']);
    await clock.advance(dayMs);
    assert.deepEqual(await idsOf(store), []);
    await stop();
    assert.deepEqual([clock.pendingTimers, warnings], [0, []]);
  });

  it('keeps no more than the latest of a crash loop', async () => {
    const store = createInMemoryRunnerStore();
    const nowMs = createVirtualClock().nowMs();
    const { perAccount } = runnerRetention;
    for (let count = 0; count < perAccount + 250; count += 1) await addEnded(store, `runner-${count}`, nowMs);
    const { clock, stop } = sweeping(store);
    await clock.advance(0);
    const ids = await idsOf(store);
    assert.deepEqual([ids.length, ids[0]], [perAccount, 'runner-250']);
    await stop();
  });

  it('says when it failed, and tries again', async () => {
    let calls = 0;
    const { clock, warnings, stop } = sweeping({
      async sweep() {
        calls += 1;
        if (calls === 1) throw new Error('the disk is full');
        return 0;
      },
    });
    await clock.advance(10 * 60_000);
    assert.equal(calls, 2);
    assert.equal(warnings.length, 1);
    await stop();
  });
});
