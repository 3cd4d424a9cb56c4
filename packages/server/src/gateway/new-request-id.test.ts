import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newRequestId } from './new-request-id.ts';

describe('ids of requests', () => {
  it('are UUIDs of version 7, in the order of their time, each once', () => {
    const ids = [1_700_000_000_000, 1_800_000_000_000, 1_800_000_000_001].map((nowMs) => newRequestId(nowMs));
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(ids.toSorted(), ids);
    assert.notEqual(newRequestId(5), newRequestId(5));
  });
});
