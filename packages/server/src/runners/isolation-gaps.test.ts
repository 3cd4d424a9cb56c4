import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isolationGaps } from './isolation-gaps.ts';

describe('isolationGaps', () => {
  it('is silent where runners are isolated and every program has its address', () => {
    assert.deepEqual(isolationGaps({ level: 'namespaces', reason: '', addresses: 'kernel' }), []);
  });

  it('says that plain processes are not isolated, and whose servers are open to the network', () => {
    const gaps = isolationGaps({ level: 'process-group', reason: 'no namespaces', addresses: 'python' });
    assert.match(
      gaps.join('\n'),
      /^runners are plain processes .*\nonly what apps bind through Python .* open to the network$/,
    );
    assert.equal(isolationGaps({ level: 'namespaces', reason: '' }).length, 1, 'an older supervisor knows only Python');
  });
});
