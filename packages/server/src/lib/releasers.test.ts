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

  it('go on after a failure and report it', async () => {
    const order: string[] = [];
    const releasers = createReleasers();
    releasers.add(() => void order.push('first'));
    releasers.add(() => Promise.reject(new Error('stuck')));
    await assert.rejects(releasers.release(request), /stuck/);
    assert.deepEqual(order, ['first']);
  });
});
