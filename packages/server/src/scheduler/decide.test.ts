import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs, chooseMachineType, decide } from './decide.ts';
import { aSample, idleRunner, settingsWith, waiters } from './testing/pool-samples.ts';

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
