import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLruMap } from './lru-map.ts';

describe('LRU map', () => {
  it('drops the entry that was used longest ago', () => {
    const map = createLruMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    assert.equal(map.get('a'), 1);
    map.set('c', 3);
    assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [1, undefined, 3]);
    assert.equal(map.size, 2);
  });

  it('replaces an entry without dropping another', () => {
    const map = createLruMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    assert.deepEqual([map.get('a'), map.get('b')], [3, 2]);
  });

  it('deletes by value', () => {
    const map = createLruMap<string, number>(4);
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['c', 1],
    ] as const)
      map.set(key, value);
    map.deleteWhere((value) => value === 1);
    assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [undefined, 2, undefined]);
  });
});
