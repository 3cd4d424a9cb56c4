import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aLogLine } from '../testing/scripted-fleet.ts';
import type { LogLine } from '../../scheduler/fleet.ts';
import { toLogPage } from './log-page.ts';

describe('toLogPage', () => {
  const lines = (...times: number[]): LogLine[] => times.map((atMs, index) => aLogLine(`${atMs}/${index}`, { atMs }));

  it('ends where there is less than a page', () => {
    assert.equal(toLogPage(lines(3, 2), 3).nextUntilMs, null);
    assert.deepEqual(toLogPage([], 3), { lines: [], nextUntilMs: null });
  });

  it('leaves the oldest millisecond of a full page to the next page', () => {
    const page = toLogPage(lines(5, 4, 3, 3), 4);
    assert.deepEqual(
      page.lines.map((line) => line.atMs),
      [5, 4],
    );
    assert.equal(page.nextUntilMs, 3);
  });

  it('moves on below a millisecond that fills a page', () => {
    assert.equal(toLogPage(lines(3, 3, 3), 3).nextUntilMs, 2);
  });

  it('tells every line once, whatever the page size', () => {
    const all = lines(9, 8, 8, 8, 7, 6, 6, 5, 4, 4);
    for (const pageSize of [4, 5, 9, 10, 11]) {
      const told: LogLine[] = [];
      let until: number | null = Infinity;
      while (until !== null) {
        const found: LogLine[] = all.filter((line) => line.atMs <= until!).slice(0, pageSize);
        const page = toLogPage(found, pageSize);
        told.push(...page.lines);
        assert.ok(page.nextUntilMs === null || page.nextUntilMs < until);
        until = page.nextUntilMs;
      }
      assert.deepEqual(told, all, `page size ${pageSize}`);
    }
  });
});
