import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { createVirtualClock, type VirtualClock } from '../lib/virtual-clock.ts';
import type { Slot, SlotOutcome } from './dispatcher.ts';
import { Runner } from './runner.ts';
import { SlotTable } from './slot-table.ts';
import type { RunnerSlot } from './slot.ts';

let runnerCount = 0;

function readyRunner(capacity: number): Runner {
  runnerCount += 1;
  const identity = {
    runnerId: `run-${runnerCount}`,
    accountId: 'acc-1',
    environmentName: 'main',
    aliasId: 'acc-1/hello',
    aliasName: 'hello',
    appName: 'owner/hello',
    revisionId: 'rev-1',
    machineType: 'XS',
    startReason: 'need',
    graceMs: 5_000,
    port: 8080,
  };
  const runner = new Runner(identity, 0, capacity);
  runner.host = '127.1.0.1';
  runner.advance('ready');
  return runner;
}

function createTable(clock: VirtualClock = createVirtualClock()) {
  const released: [Runner, SlotOutcome][] = [];
  const table = new SlotTable(clock, {
    onDemandChanged: () => undefined,
    onReleased: (runner, outcome) => void released.push([runner, outcome]),
  });
  return { clock, table, released };
}

const request = (signal = new AbortController().signal, startDeadlineMs: number | null = null) => ({
  targetId: 'acc-1/hello',
  signal,
  startDeadlineMs,
});

describe('a slot', () => {
  it('is given back once, whatever is said later', async () => {
    const { table, released } = createTable();
    const runner = readyRunner(1);
    table.add(runner);
    const slot = await table.acquire(request());
    slot.release({ kind: 'done' });
    slot.release({ kind: 'terminate', reason: 'late' });
    slot.release({ kind: 'done' });
    assert.deepEqual(released, [[runner, { kind: 'done' }]]);
    assert.equal(runner.inFlight, 0);
    assert.equal(table.inFlight, 0);
  });

  it('goes through pending, dispatched and released', async () => {
    const { table } = createTable();
    const waiting = table.acquire(request());
    table.add(readyRunner(1));
    const slot = (await waiting) as RunnerSlot;
    assert.equal(slot.state, 'dispatched');
    slot.release({ kind: 'done' });
    assert.equal(slot.state, 'released');
    assert.equal(slot.dispatch(), false);
  });

  it('given to a caller who left in the same moment goes to the next one', async () => {
    const { table } = createTable();
    const caller = new AbortController();
    const first = table.acquire(request(caller.signal));
    const second = table.acquire(request());
    const runner = readyRunner(1);
    table.add(runner);
    caller.abort(new Error('left'));
    await assert.rejects(first, /left/);
    const slot = await second;
    assert.equal(slot.runnerId, runner.runnerId);
    assert.equal(runner.inFlight, 1);
    slot.release({ kind: 'done' });
    assert.equal(runner.inFlight, 0);
  });

  it('on a runner that left the table still counts for that runner, not for the table', async () => {
    const { table } = createTable();
    const runner = readyRunner(2);
    table.add(runner);
    const slots = [await table.acquire(request()), await table.acquire(request())];
    table.remove(runner);
    assert.equal(table.inFlight, 0);
    assert.equal(runner.inFlight, 2);
    for (const slot of slots) slot.release({ kind: 'connection-failed' });
    assert.equal(runner.inFlight, 0);
    assert.equal(table.inFlight, 0);
  });

  it('is not taken by somebody who came later than those who wait', async () => {
    const { table } = createTable();
    const runner = readyRunner(1);
    table.add(runner);
    const held = await table.acquire(request());
    const order: string[] = [];
    const waiting = table.acquire(request()).then((slot) => {
      order.push('waiting');
      return slot;
    });
    held.release({ kind: 'done' });
    const late = table.acquire(request()).then((slot) => {
      order.push('late');
      return slot;
    });
    (await waiting).release({ kind: 'done' });
    (await late).release({ kind: 'done' });
    assert.deepEqual(order, ['waiting', 'late']);
  });
});

describe('waiting for a slot', () => {
  it('leaves neither listeners nor timers behind, however it ends', async () => {
    const { clock, table } = createTable();
    const caller = new AbortController();
    let listeners = 0;
    const { signal } = caller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));

    const served = table.acquire(request(signal, 60_000));
    const runner = readyRunner(1);
    table.add(runner);
    const slot = await served;
    const failed = table.acquire(request(signal, 60_000));
    table.waiters.failAll(() => new LannerError('startup_failed', 'no'));
    await assert.rejects(failed, { code: 'startup_failed' });
    const late = table.acquire(request(signal, 1_000));
    await Promise.all([assert.rejects(late, { code: 'start_timeout' }), clock.advance(1_000)]);
    slot.release({ kind: 'done' });
    assert.equal(listeners, 0);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(table.waiters.size, 0);
  });
});

describe('under random interleavings', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`slots are never lost, doubled or overfilled (seed ${seed})`, async () => {
      let state = seed * 7_919;
      const random = (below: number): number => {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
        return state % below;
      };
      const { clock, table, released } = createTable();
      const runners: Runner[] = [];
      const held: Slot[] = [];
      const callers: { controller: AbortController; isSettled: boolean }[] = [];
      let given = 0;
      let refused = 0;
      let asked = 0;

      const steps: (() => void)[] = [
        () => {
          const caller = { controller: new AbortController(), isSettled: false };
          callers.push(caller);
          asked += 1;
          const deadline = random(3) === 0 ? clock.monotonicMs() + random(50) + 1 : null;
          table.acquire(request(caller.controller.signal, deadline)).then(
            (slot) => {
              caller.isSettled = true;
              given += 1;
              held.push(slot);
            },
            () => {
              caller.isSettled = true;
              refused += 1;
            },
          );
        },
        () => held.splice(random(held.length || 1), 1)[0]?.release({ kind: random(4) === 0 ? 'check' : 'done' }),
        // A second release of a slot that somebody still holds must not free it for a third party.
        () => {
          const slot = held[random(held.length || 1)];
          if (!slot || random(3) > 0) return;
          held.splice(held.indexOf(slot), 1);
          slot.release({ kind: 'done' });
          slot.release({ kind: 'done' });
        },
        () => callers[random(callers.length || 1)]?.controller.abort(new Error('left')),
        () => {
          if (runners.length >= 5) return;
          const runner = readyRunner(1 + random(3));
          runners.push(runner);
          table.add(runner);
        },
        () => {
          if (random(3) > 0) return;
          const [runner] = runners.splice(random(runners.length || 1), 1);
          if (runner) table.remove(runner);
        },
      ];

      for (let step = 0; step < 2_000; step += 1) {
        steps[random(steps.length)]!();
        // Sometimes several things happen before any promise is seen.
        if (random(3) === 0) await clock.settle();
        if (random(10) === 0) await clock.advance(random(20));
        for (const runner of runners) assert.ok(runner.inFlight <= runner.capacity, 'a runner holds more than it may');
        assert.equal(
          table.inFlight,
          runners.reduce((sum, runner) => sum + runner.inFlight, 0),
        );
        const room = runners.some((runner) => runner.inFlight < runner.capacity);
        assert.ok(!room || table.waiters.size === 0, 'somebody waits although there is room');
      }

      while (held.length > 0 || table.waiters.size > 0) {
        for (const slot of held.splice(0)) slot.release({ kind: 'done' });
        table.waiters.failAll(() => new LannerError('shutting_down', 'end'));
        await clock.settle();
      }
      await clock.settle();
      for (const slot of held.splice(0)) slot.release({ kind: 'done' });
      assert.equal(given + refused, asked);
      assert.ok(given > 100, 'the scenario must give slots');
      assert.ok(refused > 50, 'the scenario must refuse some');
      // Those given and at once abandoned come back too, so there may be more releases than slots seen.
      assert.ok(released.length >= given);
      assert.equal(table.inFlight, 0);
      for (const runner of runners) assert.equal(runner.inFlight, 0);
      assert.equal(clock.pendingTimers, 0);
    });
  }
});
