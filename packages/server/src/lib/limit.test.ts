import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createLimit } from './limit.ts';

it('a limit runs so many at once, in order, also past those that fail', async () => {
  const limit = createLimit(2);
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const all = gates.map((gate, at) =>
    limit(async () => {
      begun.push(at);
      await gate.promise;
      return at;
    }).catch((error: Error) => error.message),
  );
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  await turn();
  assert.deepEqual(begun, [0, 1]);
  gates[1]!.reject(new Error('no'));
  await turn();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const gate of gates) gate.resolve();
  assert.deepEqual(await Promise.all(all), [0, 'no', 2, 3, 4]);
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  assert.equal(await limit(async () => 'again'), 'again');
});
