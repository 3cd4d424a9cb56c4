import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { checkDeployOptions } from './check-deploy-options.ts';
import type { DeployOptions } from './deploy-types.ts';

const isRefused = (options: DeployOptions, isProjectApp = false): boolean => {
  try {
    checkDeployOptions(options, isProjectApp);
    return false;
  } catch (error) {
    assert.ok(isClientError(error) && error.code === 'invalid_argument');
    return true;
  }
};

test('limits of message and annotations are those of the reference, to the last one', () => {
  assert.equal(isRefused({ message: '😀'.repeat(2048) }), false, 'characters are counted, not code units');
  assert.equal(isRefused({ message: 'x'.repeat(2049) }), true);
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
  assert.equal(isRefused({ annotations: many(32) }), false);
  assert.equal(isRefused({ annotations: many(33) }), true);
  assert.equal(isRefused({ annotations: { ['k'.repeat(64)]: '' } }), false);
  assert.equal(isRefused({ annotations: { ['k'.repeat(65)]: '' } }), true);
  assert.equal(isRefused({ annotations: { '': 'x' } }), true);
  assert.equal(isRefused({ annotations: { openapi: 'x' } }), true);
  assert.equal(isRefused({ annotations: { a: 1 as unknown as string } }), true);
  // {"a": "…"} has nine bytes beside the value.
  assert.equal(isRefused({ annotations: { a: 'x'.repeat(16_384 - 9) } }), false);
  assert.equal(isRefused({ annotations: { a: 'x'.repeat(16_384 - 8) } }), true);
});

test('attach is for rolling deploys, names and auth are not for apps of a project', () => {
  assert.equal(isRefused({ attach: true }), false);
  assert.equal(isRefused({ attach: false, strategy: 'rolling' }), false);
  assert.equal(isRefused({ attach: false, strategy: 'recreate' }), true);
  assert.equal(isRefused({ appName: 'x' }, true), true);
  assert.equal(isRefused({ auth: 'public' }, true), true);
  assert.equal(isRefused({ appName: 'x', auth: 'public' }, false), false);
});
