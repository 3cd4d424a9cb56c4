import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogLine } from './fleet.ts';
import { labelLine } from './line-owner.ts';
import type { Lease } from './runner.ts';

const line = (atMs: number, more: Partial<LogLine> = {}): LogLine => ({
  atMs,
  source: 'user',
  level: 'info',
  line: 'x',
  ...more,
});
const lease = (requestId: string, leasedAtMs: number, endedAtMs?: number): Lease => ({
  caller: { requestId, accountId: null },
  leasedAtMs,
  ...(endedAtMs === undefined ? {} : { endedAtMs }),
});
const ownerOf = (runner: { leases?: Lease[]; endedLeases?: Lease[] }, atMs: number): string | undefined =>
  labelLine({ leases: new Set(runner.leases), endedLeases: runner.endedLeases ?? [] }, line(atMs)).labels?.[
    'fal_request_id'
  ];

describe('a line without a request', () => {
  it('belongs to the only request that ran when it was printed', () => {
    const endedLeases = [lease('a', 0, 1000), lease('b', 1000, 2000)];
    const runner = { endedLeases, leases: [lease('c', 2500)] };
    assert.deepEqual(
      [500, 1500, 2600].map((atMs) => ownerOf(runner, atMs)),
      ['a', 'b', 'c'],
    );
  });

  it('belongs to nobody while several ran', () => {
    assert.equal(ownerOf({ leases: [lease('a', 0), lease('b', 100)] }, 200), undefined);
    assert.equal(ownerOf({ leases: [lease('a', 0), lease('b', 100)] }, 50), 'a');
    assert.equal(ownerOf({ leases: [lease('a', 0)], endedLeases: [lease('b', 100, 300)] }, 200), undefined);
    assert.equal(ownerOf({ endedLeases: [lease('a', 0, 300), lease('b', 100, 400)] }, 200), undefined);
  });

  it('belongs to the request that ended a moment before, and to nobody long after', () => {
    const endedLeases = [lease('a', 0, 1000), lease('b', 1000, 1000)];
    assert.equal(ownerOf({ endedLeases }, 1050), 'b');
    assert.equal(ownerOf({ endedLeases }, 1101), undefined);
    assert.equal(ownerOf({}, 0), undefined);
  });

  it('keeps what the app itself says, and lines of the platform are nobodys', () => {
    const runner = { leases: new Set([lease('a', 0)]), endedLeases: [] };
    assert.deepEqual(labelLine(runner, line(5, { labels: { fal_request_id: 'b' } })).labels, { fal_request_id: 'b' });
    assert.deepEqual(labelLine(runner, line(5, { labels: { fal_endpoint: 'e' } })).labels, {
      fal_endpoint: 'e',
      fal_request_id: 'a',
    });
    assert.equal(labelLine(runner, line(5, { source: 'bridge' })).labels, undefined);
  });
});
