import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { endpointUrl, parseAppId } from './app-id.ts';

test('ids are taken apart into app and path', () => {
  assert.deepEqual(parseAppId('owner/app'), { app: 'owner/app', path: '' });
  assert.deepEqual(parseAppId('owner/app/a/b'), { app: 'owner/app', path: 'a/b' });
  assert.deepEqual(parseAppId('workflows/owner/name/x'), { app: 'workflows/owner/name', path: 'x' });
  assert.deepEqual(parseAppId('123-my-app'), { app: '123/my-app', path: '' });
});

test('what is no id is refused', () => {
  for (const id of ['', 'app', 'owner/', 'workflows/owner', 'owner/../x', 'owner/a b', 'owner/a?x']) {
    assert.throws(
      () => parseAppId(id),
      (error) => isClientError(error) && error.code === 'invalid_argument',
      id,
    );
  }
});

test('paths of id and options follow each other', () => {
  assert.equal(endpointUrl('https://x/run', 'owner/app', undefined), 'https://x/run/owner/app');
  assert.equal(endpointUrl('https://x', 'owner/app/a', '/b'), 'https://x/owner/app/a/b');
});
