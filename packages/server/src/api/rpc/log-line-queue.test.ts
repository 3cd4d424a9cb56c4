import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aLogLine } from '../testing/scripted-fleet.ts';
import { createLogLineQueue } from './log-line-queue.ts';

describe('createLogLineQueue', () => {
  it('hands over what waits, then waits, then ends', async () => {
    const queue = createLogLineQueue(10);
    queue.push(aLogLine('a'));
    queue.push(aLogLine('b'));
    const batches = queue.batches();
    assert.deepEqual(
      (await batches.next()).value?.map((line) => line.line),
      ['a', 'b'],
    );
    const next = batches.next();
    queue.push(aLogLine('c'));
    assert.deepEqual(
      (await next).value?.map((line) => line.line),
      ['c'],
    );
    queue.push(aLogLine('d'));
    queue.close();
    queue.push(aLogLine('too late'));
    assert.deepEqual(
      (await batches.next()).value?.map((line) => line.line),
      ['d'],
    );
    assert.equal((await batches.next()).done, true);
  });

  it('drops the oldest lines when nobody reads, and says how many', async () => {
    const queue = createLogLineQueue(2);
    for (const line of ['a', 'b', 'c', 'd']) queue.push(aLogLine(line));
    const { value } = await queue.batches().next();
    assert.deepEqual(
      value?.map((line) => line.line),
      ['2 lines were dropped here.', 'c', 'd'],
    );
  });
});
