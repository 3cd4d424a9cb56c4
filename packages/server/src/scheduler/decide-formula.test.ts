import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide, desiredRunners, type ScalingSettings } from './decide.ts';
import { aSample, idleRunner, settingsWith, waiters } from './testing/pool-samples.ts';

describe('the formula of platform-semantics 2.2', () => {
  const tables: {
    name: string;
    settings: Partial<ScalingSettings>;
    rows: [demand: number, need: number, desired: number][];
  }[] = [
    {
      name: 'min=1 buffer=1 mux=1 max=10',
      settings: { minConcurrency: 1, concurrencyBuffer: 1, maxConcurrency: 10 },
      rows: [
        [0, 0, 1],
        [1, 1, 2],
        [2, 2, 3],
        [5, 5, 6],
        [9, 9, 10],
        [10, 10, 10],
        [14, 14, 10],
      ],
    },
    {
      name: 'min=3 buffer=2 mux=1 max=10',
      settings: { minConcurrency: 3, concurrencyBuffer: 2, maxConcurrency: 10 },
      rows: [
        [0, 0, 3],
        [1, 1, 3],
        [2, 2, 4],
        [3, 3, 5],
        [8, 8, 10],
        [12, 12, 10],
      ],
    },
    {
      name: 'min=0 buffer=2 mux=4 max=6',
      settings: { concurrencyBuffer: 2, maxMultiplexing: 4, maxConcurrency: 6 },
      rows: [
        [0, 0, 2],
        [1, 1, 3],
        [4, 1, 3],
        [5, 2, 4],
        [8, 2, 4],
        [12, 3, 5],
        [16, 4, 6],
        [24, 6, 6],
        [30, 8, 6],
      ],
    },
    {
      name: 'min=0 buffer=1 perc=20 mux=1 max=50',
      settings: { concurrencyBuffer: 1, concurrencyBufferPerc: 20, maxConcurrency: 50 },
      rows: [
        [0, 0, 1],
        [3, 3, 4],
        [5, 5, 6],
        [6, 6, 8],
        [10, 10, 12],
        [40, 40, 48],
        [45, 45, 50],
      ],
    },
    {
      name: 'server defaults',
      settings: {},
      rows: [
        [0, 0, 0],
        [1, 1, 1],
        [2, 2, 2],
        [3, 3, 2],
      ],
    },
    {
      name: 'percentage of requests is divided by the multiplexing',
      settings: { concurrencyBufferPerc: 50, maxMultiplexing: 4, maxConcurrency: 100 },
      rows: [
        [0, 0, 0],
        [4, 1, 2],
        [8, 2, 3],
        [9, 3, 5],
        [16, 4, 6],
      ],
    },
    {
      name: 'shares that binary fractions cannot hold do not round up by accident',
      settings: { concurrencyBufferPerc: 7, maxConcurrency: 1000 },
      rows: [
        [100, 100, 107],
        [200, 200, 214],
        [101, 101, 109],
      ],
    },
    {
      name: 'a cap of zero wins over everything',
      settings: { maxConcurrency: 0, minConcurrency: 0 },
      rows: [
        [0, 0, 0],
        [9, 9, 0],
      ],
    },
  ];
  for (const { name, settings, rows } of tables) {
    for (const [demand, need, desired] of rows) {
      it(`${name}: ${demand} requests want ${desired} runners`, () => {
        const result = desiredRunners(demand, settingsWith(settings));
        assert.equal(result.need, need);
        assert.equal(result.desired, desired);
      });
    }
  }

  it('takes no buffer and no floor while dormant', () => {
    const settings = settingsWith({ minConcurrency: 3, concurrencyBuffer: 2, maxConcurrency: 10 });
    assert.equal(desiredRunners(0, settings, true).desired, 0);
    assert.equal(desiredRunners(1, settings, true).desired, 1);
  });

  it('counts requests in flight and waiting ones alike', () => {
    const settings = settingsWith({ maxConcurrency: 10 });
    const decision = decide(0, aSample({ inFlight: 3, ready: 3, waitingSinceMs: waiters(2) }), settings);
    assert.equal(decision.desired, 5);
    assert.deepEqual(
      decision.actions.map((action) => action.type),
      ['start', 'start'],
    );
  });
});

describe('as a whole', () => {
  it('settles: after its actions are done it wants no more (many random pools)', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 3_000; round += 1) {
      const maxMultiplexing = 1 + random(4);
      const maxConcurrency = random(8);
      const settings = settingsWith({
        maxMultiplexing,
        maxConcurrency,
        minConcurrency: Math.min(random(4), maxConcurrency),
        concurrencyBuffer: random(3),
        concurrencyBufferPerc: random(60),
        keepAliveSeconds: random(100),
        scalingDelaySeconds: random(3),
      });
      const idle = Array.from({ length: random(5) }, (_, index) =>
        idleRunner(`i${index}`, index * 7_000, random(2) === 0),
      );
      const busy = Array.from({ length: random(5) }, (_, index) => ({
        runnerId: `b${index}`,
        inFlight: 1 + random(maxMultiplexing),
      }));
      const starting = Array.from({ length: random(3) }, (_, index) => `s${index}`);
      const sample = aSample({
        idle,
        busy,
        startingIds: starting,
        ready: idle.length + busy.length,
        inFlight: busy.reduce((sum, runner) => sum + runner.inFlight, 0),
        waitingSinceMs: idle.length === 0 ? waiters(random(12), 40_000) : [],
      });
      const nowMs = 45_000;
      const first = decide(nowMs, sample, settings);
      const gone = new Set(first.actions.flatMap((action) => (action.type === 'start' ? [] : [action.runnerId])));
      const after = aSample({
        ...sample,
        idle: idle.filter((runner) => !gone.has(runner.runnerId)),
        busy: busy.filter((runner) => !gone.has(runner.runnerId)),
        startingIds: [
          ...starting.filter((runnerId) => !gone.has(runnerId)),
          ...first.actions.filter((action) => action.type === 'start').map((_, index) => `new${index}`),
        ],
        ready: [...idle, ...busy].filter((runner) => !gone.has(runner.runnerId)).length,
        inFlight: busy.filter((runner) => !gone.has(runner.runnerId)).reduce((sum, runner) => sum + runner.inFlight, 0),
      });
      const second = decide(nowMs, after, settings);
      // Draining takes its work out of the demand, so only an idle runner may become superfluous through it.
      const settled = second.actions.filter((action) => action.type !== 'stop' || action.reason !== 'idle');
      assert.deepEqual(settled, [], `round ${round}`);
      assert.ok(after.ready + after.startingIds.length <= maxConcurrency, `round ${round}: above the cap`);
      assert.ok(
        first.actions.every(
          (action) =>
            action.type === 'start' || !busy.some((b) => b.runnerId === action.runnerId) || action.type === 'drain',
        ),
      );
      assert.ok(first.nextChangeAtMs === null || first.nextChangeAtMs > nowMs, `round ${round}: a moment in the past`);
    }
  });
});
