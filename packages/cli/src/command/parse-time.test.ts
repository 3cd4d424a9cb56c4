import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../output.ts';
import { parsePastTime } from './parse-time.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const read = (text: string, limitMs?: number): string => parsePastTime(text, nowMs, limitMs).toISOString();

for (const [text, expected] of [
  ['now', '2026-11-24T12:00:00.000Z'],
  ['15m', '2026-11-24T11:45:00.000Z'],
  ['90s', '2026-11-24T11:58:30.000Z'],
  ['24h ago', '2026-11-23T12:00:00.000Z'],
  ['1h 30m', '2026-11-24T10:30:00.000Z'],
  ['2 days ago', '2026-11-22T12:00:00.000Z'],
  ['10 minutes ago', '2026-11-24T11:50:00.000Z'],
  ['yesterday', '2026-11-23T12:00:00.000Z'],
  ['2026-11-24T10:00:00Z', '2026-11-24T10:00:00.000Z'],
  ['2026-11-24 10:00:00+02:00', '2026-11-24T08:00:00.000Z'],
  ['2026-11-24T10:00:00.5Z', '2026-11-24T10:00:00.500Z'],
] as const) {
  test(`${text} is ${expected}`, () => assert.equal(read(text), expected));
}

test('a time without zone is local time', () => {
  assert.equal(read('2026-11-24T10:00'), new Date(2026, 10, 24, 10).toISOString());
  assert.equal(read('2026-11-24'), new Date(2026, 10, 24).toISOString());
});

test('everything else is refused', () => {
  for (const text of ['', 'soon', '5', 'h', '5 parsecs', '2026-13-40', 'ago'])
    assert.throws(() => read(text), UsageError);
});

test('a limit has a minute of grace', () => {
  const dayMs = 86_400_000;
  assert.equal(read('1d', dayMs), '2026-11-23T12:00:00.000Z');
  assert.equal(read('1d 59s', dayMs), '2026-11-23T11:59:01.000Z');
  assert.throws(() => read('25h', dayMs), /older than the allowed limit/);
});
