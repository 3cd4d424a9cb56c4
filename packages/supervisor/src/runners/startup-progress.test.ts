import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createManualClock } from '../testing/manual-clock.ts';
import { reportStartupProgress } from './startup-progress.ts';

it('a starting app is told about every few seconds, less often later, and not any more once cancelled', () => {
  const clock = createManualClock();
  const lines: string[] = [];
  let waitsFor = 'nothing listens on port 8080';
  const progress = reportStartupProgress({
    clock,
    timeoutMs: 600_000,
    waitsFor: () => waitsFor,
    say: (line) => lines.push(line),
  });
  clock.advance(4_900);
  assert.deepEqual(lines, []);
  clock.advance(5_100);
  assert.deepEqual(lines, [
    'Waiting for the app to become ready: nothing listens on port 8080 (5 s of 600 s).',
    'Waiting for the app to become ready: nothing listens on port 8080 (10 s of 600 s).',
  ]);
  waitsFor = 'the health check failed: /health answered 500';
  clock.advance(5_000);
  assert.match(lines.at(-1)!, /: the health check failed: \/health answered 500 \(15 s of 600 s\)\.$/);
  clock.advance(45_000);
  assert.equal(lines.length, 12);
  clock.advance(60_000);
  assert.equal(lines.length, 16);
  progress.cancel();
  clock.advance(600_000);
  assert.equal(lines.length, 16);
});
