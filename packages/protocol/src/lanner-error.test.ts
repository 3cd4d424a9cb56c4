import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { errorCatalogue } from './error-catalogue.ts';
import { isLannerError, LannerError, toLannerError } from './lanner-error.ts';

describe('LannerError', () => {
  test('its code decides status, RPC code and fault', () => {
    const error = new LannerError('app_not_found', 'No app is named a/b.');
    assert.equal(error.entry, errorCatalogue.app_not_found);
    assert.equal(error.entry.httpStatus, 404);
    assert.equal(error.message, 'No app is named a/b.');
  });

  test('is recognised across two copies of the package, and nothing else is', async () => {
    const copy = (await import(`./lanner-error.ts?copy=${process.pid}`)) as typeof import('./lanner-error.ts');
    const foreign = new copy.LannerError('conflict', 'Made by the other copy.');
    assert.equal(foreign instanceof LannerError, false);
    assert.equal(isLannerError(foreign), true);
    for (const other of [new Error('x'), null, undefined, 'x', {}]) assert.equal(isLannerError(other), false);
  });

  test('an unknown failure becomes internal_error, keeps its cause and tells the caller nothing of it', () => {
    const cause = new Error('password=hunter2');
    const error = toLannerError(cause);
    assert.equal(error.code, 'internal_error');
    assert.equal(error.cause, cause);
    assert.doesNotMatch(error.message, /hunter2/);
    assert.equal(toLannerError(error), error);
  });
});

describe('the error catalogue', () => {
  test('every entry has a status that fits its fault, and a sentence', () => {
    for (const [code, entry] of Object.entries(errorCatalogue)) {
      assert.ok(entry.httpStatus >= 400 && entry.httpStatus < 600, code);
      assert.match(entry.summary, /^[A-Z].*\.$/, code);
    }
  });
});
