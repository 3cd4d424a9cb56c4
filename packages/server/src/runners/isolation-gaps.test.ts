import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isolationGaps } from './isolation-gaps.ts';

describe('isolationGaps', () => {
  it('is silent where runners are isolated and every program has its address', () => {
    assert.deepEqual(isolationGaps({ level: 'namespaces', reason: '', addresses: 'kernel' }), []);
  });

  it('says that plain processes are not isolated, and whose servers are open to the network, each with its reason', () => {
    const gaps = isolationGaps({
      level: 'process-group',
      reason: 'no namespaces',
      addresses: 'python',
      addressesReason: 'no seccomp',
    });
    assert.deepEqual(
      gaps.map(({ reason }) => reason),
      ['no namespaces', 'no seccomp'],
    );
    assert.match(gaps[0]!.message, /^runners are plain processes/);
    assert.match(gaps[1]!.message, /open to the network$/);
  });

  it('takes a supervisor that says nothing of addresses for one that knows only Python', () => {
    assert.equal(isolationGaps({ level: 'namespaces', reason: '' }).length, 1);
  });
});
