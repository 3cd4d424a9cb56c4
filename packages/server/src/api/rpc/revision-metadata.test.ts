import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMetadata, parseRetryConfig, parseSkipRetryConditions } from './revision-metadata.ts';

describe('parseMetadata', () => {
  it('keeps what is within the limits', () => {
    const metadata = { openapi: { paths: {} }, message: 'm'.repeat(2048), annotations: { a: 'b' } };
    assert.deepEqual(parseMetadata(metadata), metadata);
    assert.equal(parseMetadata(undefined), null);
  });

  it('refuses what the official limits refuse', () => {
    const annotations = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`key${index}`, 'x']));
    assert.throws(() => parseMetadata({ message: 'm'.repeat(2049) }), {
      code: 'invalid_argument',
      message: /2049 characters/,
    });
    assert.throws(() => parseMetadata({ annotations }), { message: /33 annotations/ });
    assert.throws(() => parseMetadata({ annotations: { ['k'.repeat(65)]: 'x' } }), { message: /longer than 64/ });
    assert.throws(() => parseMetadata({ annotations: { a: 'x'.repeat(16_384) } }), {
      message: /larger than 16384 bytes/,
    });
  });
});

describe('parseRetryConfig', () => {
  it('keeps good JSON as text', () => {
    const text = '{"server_error": {"retries": 3}, "timeout": {"retries": 0}}';
    assert.equal(parseRetryConfig(text), text);
    assert.equal(parseRetryConfig(undefined), null);
  });

  for (const text of [
    '{',
    '[]',
    'null',
    '{"timeout": 3}',
    '{"timeout": {"retries": -1}}',
    '{"timeout": {"retries": 1.5}}',
    '{"timeout": null}',
  ]) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parseRetryConfig(text), { code: 'invalid_argument' });
    });
  }
});

describe('parseSkipRetryConditions', () => {
  it('names the conditions once and refuses unknown numbers', () => {
    assert.deepEqual(parseSkipRetryConditions([0, 2, 3, 2]), ['timeout', 'server_error', 'connection_error']);
    assert.throws(() => parseSkipRetryConditions([9]), { code: 'invalid_argument' });
  });
});
