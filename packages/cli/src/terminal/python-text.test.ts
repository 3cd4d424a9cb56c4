import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pythonDuration, pythonJson, pythonTime } from './python-text.ts';

test('JSON has the spaces and escapes of Python', () => {
  assert.equal(
    pythonJson({ a: [1, 2.5, true, null], 'b"': { c: 'ä🚀\n' }, left: undefined }),
    String.raw`{"a": [1, 2.5, true, null], "b\"": {"c": "\u00e4\ud83d\ude80\n"}}`,
  );
  assert.equal(pythonJson({}), '{}');
  assert.equal(pythonJson([]), '[]');
});

test('times are UTC with six digits, or none when they are zero', () => {
  assert.equal(pythonTime(new Date('2026-11-24T12:32:38.836Z')), '2026-11-24 12:32:38.836000+00:00');
  assert.equal(pythonTime(new Date('2026-11-24T12:32:38.000Z')), '2026-11-24 12:32:38+00:00');
  assert.equal(pythonTime(null), 'None');
});

test('durations are hours, minutes and seconds, with days in front', () => {
  assert.equal(pythonDuration(7), '0:00:07');
  assert.equal(pythonDuration(3661.5), '1:01:01.500000');
  assert.equal(pythonDuration(86_400), '1 day, 0:00:00');
  assert.equal(pythonDuration(2 * 86_400 + 1), '2 days, 0:00:01');
});
