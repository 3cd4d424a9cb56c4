import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SupervisorEvent } from '@lanner/protocol';
import { createManualClock } from '../testing/manual-clock.ts';
import { createEventLog, type EventLog } from './event-log.ts';

const line = (runnerId: string, text: string) =>
  ({ runnerId, source: 'user', stream: 'stdout', level: 'info', line: text }) as const;
const exited = (runnerId: string) =>
  ({ type: 'runner.exited', runnerId, exit: { reason: 'stopped', code: 0, signal: null, message: '' } }) as const;
const all = (events: EventLog): SupervisorEvent[] => events.readAfter(0, 1_000_000);
const droppedOf = (events: EventLog, runnerId: string): number =>
  all(events)
    .filter((event) => event.type === 'runner.log-gap' && event.runnerId === runnerId)
    .reduce((sum, event) => sum + (event as { droppedLines: number }).droppedLines, 0);

describe('the event log', () => {
  it('numbers events without holes and gives them from any point on', () => {
    const events = createEventLog({ clock: createManualClock() });
    events.append({ type: 'runner.phase', runnerId: 'a', phase: 'starting' });
    events.appendLog(line('a', 'one'));
    events.append({ type: 'runner.phase', runnerId: 'a', phase: 'setup' });
    assert.deepEqual(
      all(events).map((event) => [event.seq, event.type]),
      [
        [1, 'runner.phase'],
        [2, 'runner.log'],
        [3, 'runner.phase'],
      ],
    );
    assert.deepEqual(
      events.readAfter(1, 1).map((event) => event.seq),
      [2],
    );
    assert.deepEqual(events.readAfter(3, 10), []);
    assert.equal(events.lastSeq, 3);
  });

  it('keeps events until they are acknowledged and tells which runners ended', () => {
    const events = createEventLog({ clock: createManualClock() });
    for (let index = 0; index < 5000; index += 1) events.appendLog(line('a', `line ${index}`));
    events.append(exited('a'));
    events.append({ type: 'runner.phase', runnerId: 'b', phase: 'starting' });
    assert.deepEqual(events.acknowledge(4000), []);
    assert.equal(events.readAfter(0, 1)[0]!.seq, 4001);
    assert.equal(events.readAfter(4500, 1)[0]!.seq, 4501);
    assert.deepEqual(events.acknowledge(5001), ['a']);
    assert.deepEqual(
      all(events).map((event) => event.seq),
      [5002],
    );
    assert.deepEqual(events.acknowledge(9999), []);
    assert.equal(events.lastSeq, 5002);
  });

  it('drops lines over the memory limit, says how many, and never drops anything else', () => {
    const clock = createManualClock();
    const events = createEventLog({ clock, maxLogBytes: 1024 * 1024 });
    let stored = 0;
    const total = 10_000;
    for (let index = 0; index < total; index += 1) {
      if (events.appendLog(line('noisy', 'x'.repeat(1000))) === 'stored') stored += 1;
    }
    events.flushGap('noisy');
    events.append(exited('noisy'));
    assert.ok(stored < 500, `${stored} lines stored`);
    assert.equal(droppedOf(events, 'noisy'), total - stored);
    assert.equal(all(events).at(-1)!.type, 'runner.exited');
  });

  it('lets a quiet runner write while noisy ones have used up the memory', () => {
    const events = createEventLog({ clock: createManualClock(), maxLogBytes: 1024 * 1024 });
    for (let round = 0; round < 5000; round += 1) {
      for (const runnerId of ['n1', 'n2', 'n3', 'n4']) events.appendLog(line(runnerId, 'x'.repeat(1000)));
    }
    assert.equal(events.appendLog(line('n1', 'more')), 'dropped');
    assert.equal(events.appendLog(line('quiet', 'hello')), 'stored');
  });

  it('has room again after an acknowledgement, and says so', () => {
    const events = createEventLog({ clock: createManualClock(), maxLogBytes: 1024 * 1024 });
    let calls = 0;
    const unsubscribe = events.onSpace(() => (calls += 1));
    while (!events.isFull('a')) events.appendLog(line('a', 'x'.repeat(1000)));
    assert.equal(events.shouldHoldUp('a'), false, 'nobody reads');
    const removeReader = events.addReader();
    assert.equal(events.shouldHoldUp('a'), true);
    events.acknowledge(events.lastSeq);
    assert.equal(events.isFull('a'), false);
    assert.equal(calls, 1);
    unsubscribe();
    removeReader();
  });

  it('reports ongoing losses at most every five seconds', () => {
    const clock = createManualClock();
    const events = createEventLog({ clock });
    for (let index = 0; index < 100; index += 1) {
      events.countDropped('a', 1);
      clock.advance(1000);
    }
    const gaps = all(events).length;
    assert.ok(gaps >= 19 && gaps <= 21, `${gaps} gaps in 100 s`);
    events.flushGap('a');
    assert.equal(droppedOf(events, 'a'), 100);
  });

  it('wakes a waiting reader, and lets it go when it is aborted', async () => {
    const events = createEventLog({ clock: createManualClock() });
    const abort = new AbortController();
    const waiting = events.waitAfter(0, abort.signal);
    events.append({ type: 'runner.phase', runnerId: 'a', phase: 'starting' });
    await waiting;
    await events.waitAfter(0, abort.signal);
    const idle = events.waitAfter(1, abort.signal);
    abort.abort();
    await idle;
    assert.equal(events.lastSeq, 1);
  });
});
