import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { parseAppPath, parseLegacyAppPath } from './parse-app-path.ts';

describe('parseAppPath', () => {
  for (const [target, expected] of [
    ['/alice/hello', { owner: 'alice', app: 'hello', path: '/', query: '' }],
    ['/alice/hello/', { owner: 'alice', app: 'hello', path: '/', query: '' }],
    ['/alice/hello?x=1', { owner: 'alice', app: 'hello', path: '/', query: '?x=1' }],
    ['/alice/hello/a/b/?x=/../y', { owner: 'alice', app: 'hello', path: '/a/b/', query: '?x=/../y' }],
    ['/alice/hello//double', { owner: 'alice', app: 'hello', path: '//double', query: '' }],
    ['/alice/hello/%C3%A4%2Fb', { owner: 'alice', app: 'hello', path: '/%C3%A4%2Fb', query: '' }],
    ['/alice/hello--staging/x', { owner: 'alice', app: 'hello--staging', path: '/x', query: '' }],
    ['/%61lice/hello', { owner: 'alice', app: 'hello', path: '/', query: '' }],
    ['/workflows/alice/flow', { owner: 'workflows/alice', app: 'flow', path: '/', query: '' }],
    ['/workflows/%61lice/flow/stream?a', { owner: 'workflows/alice', app: 'flow', path: '/stream', query: '?a' }],
    ['/comfy/alice/graph', { owner: 'comfy/alice', app: 'graph', path: '/', query: '' }],
    ['/alice/hello/..a/.b/c..', { owner: 'alice', app: 'hello', path: '/..a/.b/c..', query: '' }],
  ] as const) {
    it(`reads ${target}`, () => assert.deepEqual(parseAppPath(target), expected));
  }

  for (const target of [
    '/alice/hello/../other',
    '/alice/../bob/hello',
    '/alice/hello/%2e%2e/other',
    '/alice/hello/.%2E/other',
    '/alice/hello/./x',
    '/alice/hello/..',
    '/alice/%2e%2e/hello',
    '/alice%2fhello/x',
    '/alice/he%00llo',
    '/alice/%zz',
    '/al\\ice/hello',
    'http://evil/alice/hello',
    '*',
  ]) {
    it(`refuses ${target} as a bad request`, () => {
      assert.throws(
        () => parseAppPath(target),
        (error) => isLannerError(error) && error.code === 'bad_request',
      );
    });
  }

  for (const target of [
    '/',
    '/alice',
    '/alice/',
    '//hello',
    '/alice//x',
    '/workflows',
    '/workflows/alice',
    '/workflows/alice/',
    '/workflows//x',
  ]) {
    it(`finds no app in ${target}`, () => {
      assert.throws(
        () => parseAppPath(target),
        (error) => isLannerError(error) && error.code === 'app_not_found',
      );
    });
  }

  it('keeps the query out of messages, since it may hold a token', () => {
    assert.throws(
      () => parseAppPath('/alice?fal_jwt_token=hush'),
      (error: Error) => !error.message.includes('hush'),
    );
  });
});

describe('parseLegacyAppPath', () => {
  it('splits digits from alias', () => {
    assert.deepEqual(parseLegacyAppPath('/123-my-app/sub?q=1'), {
      owner: '123',
      app: 'my-app',
      path: '/sub',
      query: '?q=1',
    });
    assert.deepEqual(parseLegacyAppPath('/123-my-app'), { owner: '123', app: 'my-app', path: '/', query: '' });
  });

  it('leaves every other form alone', () => {
    assert.equal(parseLegacyAppPath('/alice/hello'), null);
    assert.equal(parseLegacyAppPath('/alice-1/hello'), null);
  });

  it('refuses dot segments too', () => {
    assert.throws(
      () => parseLegacyAppPath('/123-app/../x'),
      (error) => isLannerError(error) && error.code === 'bad_request',
    );
  });
});
