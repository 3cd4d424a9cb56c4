import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Listing } from './listing.ts';

test('a list is an array when awaited and a loop when looped over, fetched once and only when needed', async () => {
  let fetched = 0;
  const list = new Listing(async () => {
    fetched++;
    return [1, 2, 3];
  });
  assert.equal(fetched, 0);
  assert.deepEqual(await list, [1, 2, 3]);
  const seen: number[] = [];
  for await (const each of list) seen.push(each);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(fetched, 1);
});

test('a list that cannot be fetched fails where it is used', async () => {
  const list = new Listing(() => Promise.reject(new Error('no')));
  await assert.rejects(async () => list, /no/);
  await assert.rejects(async () => {
    for await (const _ of list) assert.fail();
  }, /no/);
});
