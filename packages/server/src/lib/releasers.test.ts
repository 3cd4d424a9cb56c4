import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createReleasers } from './releasers.ts';

const request = { graceMs: 5, leaveSupervisor: false };

describe('releasers', () => {
  it('release what was acquired last first, each once, however often asked', async () => {
    const order: string[] = [];
    const releasers = createReleasers();
    releasers.add(() => void order.push('first'));
    releasers.add(async ({ graceMs }) => void order.push(`second ${graceMs}`));
    await Promise.all([releasers.release(request), releasers.release(request)]);
    assert.deepEqual(order, ['second 5', 'first']);
  });

  it('hurry when asked again with less grace', async () => {
    const releasers = createReleasers();
    const graces: number[] = [];
    const waited = Promise.withResolvers<void>();
    releasers.add(({ graceMs }) => void graces.push(graceMs));
    releasers.add(({ graceMs }) => {
      graces.push(graceMs);
      if (graceMs === 0) waited.resolve();
      return waited.promise;
    });
    const first = releasers.release({ graceMs: 1000, leaveSupervisor: false });
    await Promise.all([first, releasers.release({ graceMs: 0, leaveSupervisor: true })]);
    assert.deepEqual(graces, [1000, 0, 0]);
  });

  it('go on after a failure and report it', async () => {
    const order: string[] = [];
    const releasers = createReleasers();
    releasers.add(() => void order.push('first'));
    releasers.add(() => Promise.reject(new Error('stuck')));
    await assert.rejects(releasers.release(request), /stuck/);
    assert.deepEqual(order, ['first']);
  });
});
