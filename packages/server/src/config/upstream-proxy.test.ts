import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProxyUser, encodeProxyUser, parseBasic, type UpstreamChoice } from './proxy-credentials.ts';
import { isExemptFromProxy, readUpstreamProxy } from './upstream-proxy.ts';

for (const [entry, hostname, port, expected] of [
  ['*', 'a.example', 443, true],
  ['example', 'a.example', 443, true],
  ['.example', 'a.example', 443, true],
  ['*.example', 'a.example', 443, true],
  ['example', 'notexample', 443, false],
  ['a.example', 'A.EXAMPLE', 443, true],
  ['a.example', 'b.example', 443, false],
  ['a.example:443', 'a.example', 443, true],
  ['a.example:8443', 'a.example', 443, false],
  ['10.0.0.1', '10.0.0.1', 443, true],
  ['::1', '::1', 443, true],
  ['[::1]', '::1', 443, true],
  ['b, a.example', 'a.example', 443, true],
  ['', 'a.example', 443, false],
  [',,.', 'a.example', 443, false],
] as const) {
  test(`no_proxy "${entry}" ${expected ? 'exempts' : 'does not exempt'} ${hostname}:${port}`, () => {
    assert.equal(isExemptFromProxy(hostname, port, entry), expected);
  });
}

test('lower case wins over upper case and https_proxy over all_proxy', () => {
  const url = (environment: Record<string, string>) => readUpstreamProxy(environment).proxy?.url;
  assert.equal(url({ HTTPS_PROXY: 'http://b', https_proxy: 'http://a' }), 'http://a/');
  assert.equal(url({ all_proxy: 'http://b', HTTPS_PROXY: 'http://a' }), 'http://a/');
  assert.equal(url({ ALL_PROXY: 'http://b:1' }), 'http://b:1/');
  assert.equal(url({ https_proxy: '' }), undefined);
  assert.equal(url({ http_proxy: 'http://b' }), undefined);
});

test('the choice of a caller survives the way through the user name', () => {
  const choices: UpstreamChoice[] = [
    { kind: 'server' },
    { kind: 'direct' },
    { kind: 'proxy', proxy: { url: 'http://me:p%40@corp:3128/', noProxy: 'a,*,ü' } },
  ];
  for (const choice of choices) {
    const user = encodeProxyUser(choice);
    assert.match(user, /^[\w.-]+$/);
    assert.deepEqual(decodeProxyUser(user), choice);
  }
});

test('user names of another form are refused', () => {
  const text = (value: string) => `lanner.${Buffer.from(value).toString('base64url')}`;
  for (const user of ['', 'lann', 'lanner.', 'lanner.x', text('{}'), text('["socks://x",""]'), text('["http://x"]')]) {
    assert.equal(decodeProxyUser(user), null, user);
  }
});

test('a Basic header is split at the first colon', () => {
  const encode = (value: string) => `Basic ${Buffer.from(value).toString('base64')}`;
  assert.deepEqual(parseBasic(encode('a:b:c')), { user: 'a', password: 'b:c' });
  assert.equal(parseBasic(encode('nocolon')), null);
  assert.equal(parseBasic('Bearer x'), null);
  assert.equal(parseBasic(undefined), null);
  assert.equal(parseBasic('Basic %%%'), null);
});
