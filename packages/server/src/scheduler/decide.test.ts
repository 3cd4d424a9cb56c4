import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultScaleSettings } from '../apps/app-types.ts';
import {
  backoffMs,
  chooseMachineType,
  decide,
  desiredRunners,
  type IdleRunner,
  type PoolSample,
  type ScalingSettings,
} from './decide.ts';

const settingsWith = (overrides: Partial<ScalingSettings>): ScalingSettings => ({
  ...defaultScaleSettings,
  ...overrides,
});

interface SampleParts extends Partial<Omit<PoolSample, 'obstacles'>> {
  failures?: { count: number; lastAtMs: number };
  blocked?: [string, number][];
  unavailableUntilMs?: number;
}

/** A pool with nothing in it, and what a test adds. `waitingSinceMs` sets the count too. */
function aSample(parts: SampleParts = {}): PoolSample {
  const { failures, blocked, unavailableUntilMs, ...rest } = parts;
  const waiting = [...(parts.waitingSinceMs ?? [])];
  return {
    inFlight: 0,
    waitingCount: waiting.length,
    ready: 0,
    startingIds: [],
    idle: [],
    busy: [],
    dormant: false,
    ...rest,
    waitingSinceMs: waiting,
    obstacles: {
      failures: failures ?? { count: 0, lastAtMs: 0 },
      blockedMachineTypes: new Map(blocked),
      unavailableUntilMs: unavailableUntilMs ?? null,
    },
  };
}

const idleRunner = (runnerId: string, sinceMs: number, everServed = true): IdleRunner => ({
  runnerId,
  sinceMs,
  everServed,
});
const waiters = (count: number, sinceMs = 0): number[] => Array.from({ length: count }, () => sinceMs);

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

describe('starting runners', () => {
  it('does nothing when nothing is asked', () => {
    const decision = decide(0, aSample(), settingsWith({}));
    assert.deepEqual(decision.actions, []);
    assert.equal(decision.nextChangeAtMs, null);
    assert.equal(decision.hopeless, null);
  });

  it('gives each start its reason: need first, then buffer', () => {
    const settings = settingsWith({ concurrencyBuffer: 2, minConcurrency: 2, maxConcurrency: 10 });
    const { actions } = decide(0, aSample({ waitingSinceMs: waiters(1) }), settings);
    assert.deepEqual(
      actions.map((action) => action.reason),
      ['need', 'buffer', 'buffer'],
    );
  });

  it('gives the floor as reason for what neither need nor buffer wants', () => {
    const settings = settingsWith({ concurrencyBuffer: 1, minConcurrency: 3, maxConcurrency: 10 });
    const { actions } = decide(0, aSample(), settings);
    assert.deepEqual(
      actions.map((action) => action.reason),
      ['buffer', 'floor', 'floor'],
    );
  });

  it('counts runners that are already starting against new demand', () => {
    const settings = settingsWith({ maxConcurrency: 10 });
    const sample = aSample({ waitingSinceMs: waiters(3), startingIds: ['a', 'b'] });
    assert.equal(decide(0, sample, settings).actions.length, 1);
  });

  it('never starts above the cap and says that it was capped', () => {
    const decision = decide(
      0,
      aSample({ waitingSinceMs: waiters(50), ready: 1, inFlight: 1 }),
      settingsWith({ maxConcurrency: 4 }),
    );
    assert.equal(decision.actions.length, 3);
    assert.equal(decision.capped, true);
  });

  it('lets a waiting request count only after the scaling delay, each for itself', () => {
    const settings = settingsWith({ scalingDelaySeconds: 5, maxConcurrency: 10 });
    const sample = aSample({ waitingSinceMs: [0, 3_000, 4_000], ready: 1, inFlight: 1 });
    const early = decide(4_999, sample, settings);
    assert.deepEqual(early.actions, []);
    assert.equal(early.nextChangeAtMs, 5_000);
    const later = decide(8_000, sample, settings);
    assert.equal(later.actions.length, 2);
    assert.equal(later.nextChangeAtMs, 9_000);
  });

  it('does not delay floor and buffer', () => {
    const settings = settingsWith({
      scalingDelaySeconds: 60,
      minConcurrency: 1,
      concurrencyBuffer: 2,
      maxConcurrency: 10,
    });
    assert.equal(decide(0, aSample(), settings).actions.length, 2);
  });

  it('does not wake for a scaling delay when the cap is reached', () => {
    const settings = settingsWith({ scalingDelaySeconds: 5, maxConcurrency: 1 });
    const decision = decide(0, aSample({ waitingSinceMs: [0], ready: 1, inFlight: 1 }), settings);
    assert.equal(decision.nextChangeAtMs, null);
  });
});

describe('machine types', () => {
  it('are taken in list order, skipping those without capacity', () => {
    const blocked = new Map([['GPU-H100', 20_000]]);
    assert.deepEqual(chooseMachineType(['GPU-H100', 'GPU-A100'], blocked, 5_000), { machineType: 'GPU-A100' });
    assert.deepEqual(chooseMachineType(['GPU-H100', 'GPU-A100'], blocked, 20_000), { machineType: 'GPU-H100' });
  });

  it('hold starts until the first of them may be tried again', () => {
    const settings = settingsWith({ machineTypes: ['L', 'M'] });
    const sample = aSample({
      waitingSinceMs: [0],
      blocked: [
        ['L', 30_000],
        ['M', 20_000],
      ],
    });
    const decision = decide(10_000, sample, settings);
    assert.deepEqual(decision.held, { count: 1, untilMs: 20_000, cause: 'no_capacity' });
    assert.equal(decision.hopeless, 'no_capacity');
    assert.equal(decision.nextChangeAtMs, 20_000);
    assert.deepEqual(decide(20_000, sample, settings).actions, [{ type: 'start', reason: 'need', machineType: 'M' }]);
  });

  it('default to XS', () => {
    assert.deepEqual(chooseMachineType([], new Map(), 0), { machineType: 'XS' });
  });
});

describe('stopping runners', () => {
  it('stops a runner whose idle time is over and not a millisecond before', () => {
    const settings = settingsWith({ keepAliveSeconds: 60 });
    const sample = aSample({ ready: 1, idle: [idleRunner('a', 1_000)] });
    assert.deepEqual(decide(60_999, sample, settings).actions, []);
    assert.equal(decide(60_999, sample, settings).nextChangeAtMs, 61_000);
    assert.deepEqual(decide(61_000, sample, settings).actions, [{ type: 'stop', runnerId: 'a', reason: 'idle' }]);
  });

  it('stops a runner that never served after 10 s when there is neither floor nor buffer', () => {
    const sample = aSample({ ready: 1, idle: [idleRunner('a', 0, false)] });
    assert.equal(decide(0, sample, settingsWith({ keepAliveSeconds: 300 })).nextChangeAtMs, 10_000);
    assert.equal(decide(10_000, sample, settingsWith({ keepAliveSeconds: 300 })).actions.length, 1);
  });

  it('gives a runner that never served the whole keep-alive when there is a floor or buffer', () => {
    const sample = aSample({ ready: 2, idle: [idleRunner('a', 0, false), idleRunner('b', 0, false)] });
    const settings = settingsWith({ keepAliveSeconds: 300, concurrencyBuffer: 1 });
    assert.equal(decide(10_000, sample, settings).actions.length, 0);
    assert.equal(decide(300_000, sample, settings).actions.length, 1);
  });

  it('takes the longest idle first and leaves the floor', () => {
    const idle = [idleRunner('oldest', 0), idleRunner('middle', 10), idleRunner('newest', 20)];
    const settings = settingsWith({ keepAliveSeconds: 1, minConcurrency: 2, maxConcurrency: 5 });
    const decision = decide(60_000, aSample({ ready: 3, idle }), settings);
    assert.deepEqual(decision.actions, [{ type: 'stop', runnerId: 'oldest', reason: 'idle' }]);
    assert.equal(decision.nextChangeAtMs, null);
  });

  it('leaves the buffer on top of what is busy', () => {
    const settings = settingsWith({ keepAliveSeconds: 1, concurrencyBuffer: 1, maxConcurrency: 5 });
    const sample = aSample({ ready: 3, inFlight: 1, idle: [idleRunner('a', 0), idleRunner('b', 1)] });
    assert.deepEqual(decide(60_000, sample, settings).actions, [{ type: 'stop', runnerId: 'a', reason: 'idle' }]);
  });

  it('never stops busy runners, however many too many there are', () => {
    const settings = settingsWith({ maxMultiplexing: 10, maxConcurrency: 5, keepAliveSeconds: 0 });
    const busy = [
      { runnerId: 'a', inFlight: 1 },
      { runnerId: 'b', inFlight: 1 },
    ];
    assert.deepEqual(decide(60_000, aSample({ ready: 2, inFlight: 2, busy }), settings).actions, []);
  });

  it('does not let a starting runner stand in for a ready one', () => {
    const settings = settingsWith({ keepAliveSeconds: 1, minConcurrency: 1, maxConcurrency: 5 });
    const sample = aSample({ ready: 1, startingIds: ['b'], idle: [idleRunner('a', 0)] });
    assert.deepEqual(decide(60_000, sample, settings).actions, []);
  });

  it('obeys a lowered cap at once: starts, then idle ones, then drains those with least work', () => {
    const settings = settingsWith({ maxConcurrency: 1, maxMultiplexing: 4, keepAliveSeconds: 300 });
    const sample = aSample({
      ready: 3,
      inFlight: 4,
      startingIds: ['start-1', 'start-2'],
      idle: [idleRunner('idle', 0)],
      busy: [
        { runnerId: 'three', inFlight: 3 },
        { runnerId: 'one', inFlight: 1 },
      ],
    });
    assert.deepEqual(decide(0, sample, settings).actions, [
      { type: 'stop', runnerId: 'start-2', reason: 'cap' },
      { type: 'stop', runnerId: 'start-1', reason: 'cap' },
      { type: 'stop', runnerId: 'idle', reason: 'cap' },
      { type: 'drain', runnerId: 'one', reason: 'cap' },
    ]);
  });

  it('asks again at the earliest of several moments', () => {
    const settings = settingsWith({ keepAliveSeconds: 60, maxConcurrency: 9 });
    const idle = [idleRunner('served', 0), idleRunner('unused', 5_000, false)];
    assert.equal(decide(6_000, aSample({ ready: 2, idle }), settings).nextChangeAtMs, 15_000);
  });
});

describe('backoff', () => {
  it('grows by 30 s per failure up to 10 min', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 19, 20, 21, 1000].map(backoffMs),
      [0, 30_000, 60_000, 90_000, 570_000, 600_000, 600_000, 600_000],
    );
  });

  it('holds every start and says when the next may begin', () => {
    const settings = settingsWith({ minConcurrency: 2 });
    const decision = decide(1_000, aSample({ failures: { count: 2, lastAtMs: 500 } }), settings);
    assert.deepEqual(decision.actions, []);
    assert.deepEqual(decision.held, { count: 2, untilMs: 60_500, cause: 'backoff' });
    assert.equal(decision.nextChangeAtMs, 60_500);
    assert.equal(decide(60_500, aSample({ failures: { count: 2, lastAtMs: 500 } }), settings).actions.length, 2);
  });

  it('is hopeless only without any runner that serves or may serve soon', () => {
    const failures = { count: 1, lastAtMs: 0 };
    const settings = settingsWith({ maxConcurrency: 5 });
    assert.equal(decide(1, aSample({ failures, waitingSinceMs: [0] }), settings).hopeless, 'backoff');
    assert.equal(decide(1, aSample({ failures, waitingSinceMs: [0], startingIds: ['a'] }), settings).hopeless, null);
    assert.equal(decide(1, aSample({ failures, waitingSinceMs: [0], ready: 1, inFlight: 1 }), settings).hopeless, null);
  });

  it('is seen by a request that is still inside its scaling delay', () => {
    const settings = settingsWith({ scalingDelaySeconds: 60 });
    assert.equal(
      decide(1, aSample({ failures: { count: 1, lastAtMs: 0 }, waitingSinceMs: [0] }), settings).hopeless,
      'backoff',
    );
  });

  it('gives way to a cap of zero: the app is suspended', () => {
    assert.equal(
      decide(1, aSample({ waitingSinceMs: [0] }), settingsWith({ maxConcurrency: 0 })).hopeless,
      'suspended',
    );
  });

  it('waits for an unreachable supervisor', () => {
    const decision = decide(1, aSample({ waitingSinceMs: [0], unavailableUntilMs: 500 }), settingsWith({}));
    assert.deepEqual(decision.held, { count: 1, untilMs: 500, cause: 'unavailable' });
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
