import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCollector } from './collect-garbage.ts';

describe('collecting garbage', () => {
  it('gives back the memory of what nobody holds any more', () => {
    const collect = findCollector();
    let held: object[] | null = Array.from({ length: 500_000 }, (_, index) => ({ index, text: `number ${index}` }));
    collect('all');
    const withThemBytes = process.memoryUsage().heapTotal;
    assert.equal(held.length, 500_000);
    held = null;
    collect('young');
    collect('all');
    assert.ok(
      process.memoryUsage().heapTotal < withThemBytes - 20e6,
      `${process.memoryUsage().heapTotal} of ${withThemBytes}`,
    );
  });

  it('leaves no way to collect behind for others', () => {
    findCollector();
    assert.equal((globalThis as { gc?: unknown }).gc, undefined);
  });
});
