import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coalesce } from './coalesce.ts';

describe('coalesce', () => {
  it('gathers what is ready and keeps the order', async () => {
    async function* source() {
      for (let item = 0; item < 10; item++) yield item;
    }
    const lists: number[][] = [];
    for await (const list of coalesce(source(), 4)) lists.push(list);
    assert.deepEqual(lists.flat(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.ok(lists.every((list) => list.length <= 4));
    assert.ok(lists.length < 10, `${lists.length} lists`);
  });

  it('passes a single item on without waiting for the next', async () => {
    const gate = Promise.withResolvers<void>();
    async function* source() {
      yield 'first';
      await gate.promise;
      yield 'second';
    }
    const lists = coalesce(source(), 10);
    assert.deepEqual((await lists.next()).value, ['first']);
    gate.resolve();
    assert.deepEqual((await lists.next()).value, ['second']);
    assert.equal((await lists.next()).done, true);
  });

  it('delivers what came before a failure, then the failure', async () => {
    async function* source() {
      yield 1;
      yield 2;
      throw new Error('source broke');
    }
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const list of coalesce(source(), 10)) seen.push(...list);
    }, /source broke/);
    assert.deepEqual(seen, [1, 2]);
  });

  it('closes the source when the reader leaves', async () => {
    const closed = Promise.withResolvers<void>();
    async function* source() {
      try {
        for (;;) yield 1;
      } finally {
        closed.resolve();
      }
    }
    for await (const _ of coalesce(source(), 3)) break;
    await closed.promise;
  });

  it('pulls no more than one item ahead of a slow reader', async () => {
    let pulled = 0;
    async function* source() {
      for (;;) {
        pulled += 1;
        yield pulled;
      }
    }
    const lists = coalesce(source(), 5);
    await lists.next();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(pulled <= 6, `${pulled} pulled`);
    await lists.return();
  });
});
