import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseTimestamp, toTimestamp } from './timestamps.ts';

describe('timestamps', () => {
  it('have six fraction digits and a numeric offset', () => {
    assert.equal(toTimestamp(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), '2026-01-02T03:04:05.678000+00:00');
    assert.equal(parseTimestamp(toTimestamp(1_700_000_000_123)), 1_700_000_000_123);
  });

  it('are read with and without offset, and count as UTC without', () => {
    const expected = Date.UTC(2026, 0, 2, 3, 4, 5);
    for (const text of [
      '2026-01-02T03:04:05Z',
      '2026-01-02T03:04:05',
      '2026-01-02 03:04:05',
      '2026-01-02T05:04:05+02:00',
      '2026-01-02T03:04:05.000000+00:00',
    ]) {
      assert.equal(parseTimestamp(text), expected, text);
    }
    assert.equal(parseTimestamp('2026-01-02'), Date.UTC(2026, 0, 2));
  });

  it('are null for anything else', () => {
    for (const text of ['', 'yesterday', '12', '2026-13-45T00:00:00Z', '1h'])
      assert.equal(parseTimestamp(text), null, text);
  });

  it('come back as they were, and whatever else comes is a time or null', () => {
    const years = { min: Date.UTC(0, 0, 1), max: Date.UTC(9999, 11, 31) };
    fc.assert(fc.property(fc.integer(years), (atMs) => assert.equal(parseTimestamp(toTimestamp(atMs)), atMs)));
    const digits = fc.stringMatching(/^\d{4}-\d{2}-\d{2}[T ]?[\d:.]{0,20}(Z|[+-]\d{2}:?\d{2})?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), digits), (text) => {
        const atMs = parseTimestamp(text);
        if (atMs !== null) assert.ok(toTimestamp(atMs) !== '');
      }),
    );
  });
});
