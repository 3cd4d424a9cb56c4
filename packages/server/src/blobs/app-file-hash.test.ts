import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import fc from 'fast-check';
import { assertAppFileHash, createAppFileHash, parseAppFileMetadata } from './app-file-hash.ts';

/** null: refused, as the caller's mistake. */
function tame<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    assert.ok(isLannerError(error) && error.code === 'invalid_argument', String(error));
    return null;
  }
}

describe('hashes of app files, whatever is sent', () => {
  it('are 64 hex digits, or refused', () => {
    const likely = fc.stringMatching(/^[0-9a-fA-F./\n]{60,66}$/);
    fc.assert(
      fc.property(fc.oneof(likely, fc.anything({ withObjectString: false }), fc.string()), (hash) => {
        const isAccepted = tame(() => (assertAppFileHash(hash), true)) === true;
        assert.equal(isAccepted, typeof hash === 'string' && hash.length === 64 && /^[0-9a-f]+$/.test(hash));
      }),
      // JSON can hold objects that have no text.
      { examples: [[{ toString: 0 }]] },
    );
  });

  it('come with the mode of a regular file and a size, or are refused', () => {
    const number = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.constantFrom('33188', '33261', '16877', '99999', '1e5', ' 1', ''),
    );
    const optional = fc.option(number, { nil: undefined });
    fc.assert(
      fc.property(optional, optional, fc.option(fc.string(), { nil: undefined }), (mode, size, repeated) => {
        const sent = Object.fromEntries(
          Object.entries({ mode, size, hash: repeated }).filter(([, value]) => value !== undefined),
        );
        const read = tame(() => parseAppFileMetadata('hash', sent));
        if (read === null) return;
        assert.equal(read.mode & 0o170000, 0o100000);
        assert.ok(read.sizeBytes === null || Number.isSafeInteger(read.sizeBytes));
        assert.ok(repeated === undefined || repeated === 'hash');
      }),
    );
  });

  it('are the same however the bytes arrive', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), fc.nat(0o177777), (chunks, mode) => {
        const hash = createAppFileHash(mode);
        for (const chunk of chunks) hash.update(chunk);
        const expected = createHash('sha256').update(Buffer.concat(chunks)).update(String(mode)).digest('hex');
        assert.equal(hash.digest(), expected);
      }),
    );
  });
});
