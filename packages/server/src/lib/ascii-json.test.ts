import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toAsciiJson } from './ascii-json.ts';

describe('JSON in ASCII', () => {
  it('says the same with one byte for each character', () => {
    assert.equal(toAsciiJson({ a: 'ü🚀' }), '{"a":"\\u00fc\\ud83d\\ude80"}');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: 'binary' })), (value) => {
        const text = toAsciiJson(value);
        assert.equal(Buffer.byteLength(text), text.length);
        assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(value));
      }),
    );
  });
});
