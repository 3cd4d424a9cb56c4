import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inferLogLevel } from './log-level.ts';

describe('inferLogLevel', () => {
  for (const [line, level] of [
    ['hello', 'info'],
    ['', 'info'],
    ['ERROR: it broke', 'error'],
    ['warning: careful', 'warning'],
    ['Warn careful', 'warning'],
    ['[DEBUG] x', 'debug'],
    ['2026-01-01 [trace] x', 'trace'],
    ['errors were none', 'info'],
    ['an error happened', 'info'],
    ['{"level": "WARNING", "x": 1}', 'warning'],
    ['{"severity": "debug"}', 'debug'],
    ['{"level": 30, "levelname": "ERROR"}', 'error'],
    ['{"level": "loud", "severity": "info"}', 'info'],
    ['{"level": "error"', 'info'],
  ] as const) {
    it(`finds ${level} in ${JSON.stringify(line)}`, () => assert.equal(inferLogLevel(line), level));
  }
});
