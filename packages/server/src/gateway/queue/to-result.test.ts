import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { toAnswerResult, toErrorResult } from './to-result.ts';

const body = (text: string) => ({ bytes: Buffer.from(text), blob: null, sizeBytes: text.length });
const answered = (status: number) =>
  ({ kind: 'answered', status, headers: {}, sizeBytes: 0, startedAtMs: 0, durationMs: 5 }) as const;

describe('how a request ended', () => {
  it('keeps the headers of the app, but none of one transfer or for one page', () => {
    const headers = {
      'content-type': 'application/json',
      'x-fal-billable-units': '2',
      'access-control-allow-origin': 'https://page.example',
      'access-control-allow-credentials': 'true',
      'content-length': '2',
      date: 'now',
    };
    const { headers: stored } = toAnswerResult(answered(200), headers, body('{}'), 1);
    assert.deepEqual(stored, { 'content-type': 'application/json', 'x-fal-billable-units': '2' });
    const failed = toErrorResult(new LannerError('start_timeout', 'Too late.'), 'id', 1);
    assert.deepEqual(Object.keys(failed.headers).sort(), [
      'content-type',
      'x-fal-error-type',
      'x-fal-request-timeout-type',
    ]);
  });

  it('says what the app said went wrong', () => {
    const end = (status: number, text: string) => {
      const { error, errorType } = toAnswerResult(answered(status), {}, body(text), 1);
      return [error, errorType];
    };
    assert.deepEqual(end(200, '{"detail": "x"}'), [null, null]);
    assert.deepEqual(end(422, '{"detail": "x", "error_type": "y"}'), ['x', 'y']);
    for (const odd of ['', 'null', '[]', '3', '"x"', '{"detail": [1]}', '{', '{"detail": null, "error_type": 4}']) {
      assert.deepEqual(end(500, odd), ['Invalid status code: 500', null], odd);
    }
  });
});
