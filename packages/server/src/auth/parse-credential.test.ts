import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAuthorizationHeader, parseRpcCredential, splitKey } from './parse-credential.ts';

describe('parseAuthorizationHeader', () => {
  it('reads nothing as none', () => {
    for (const value of [undefined, null, '', '  '])
      assert.deepEqual(parseAuthorizationHeader(value), { kind: 'none' });
  });

  it('reads a key, whatever the case of the scheme', () => {
    for (const scheme of ['Key', 'key', 'KEY']) {
      assert.deepEqual(parseAuthorizationHeader(`${scheme} id:secret`), {
        kind: 'key',
        keyId: 'id',
        keySecret: 'secret',
      });
    }
  });

  it('splits a key at the first colon alone', () => {
    assert.deepEqual(parseAuthorizationHeader('Key id:a:b'), { kind: 'key', keyId: 'id', keySecret: 'a:b' });
  });

  it('reads a bearer token', () => {
    assert.deepEqual(parseAuthorizationHeader('Bearer abc.def'), { kind: 'bearer', token: 'abc.def' });
  });

  it('says what a key should look like when it does not', () => {
    for (const value of ['Key', 'Key id', 'Key :secret', 'Key id:', 'Key id: secret', 'Key i d:secret']) {
      assert.deepEqual(
        parseAuthorizationHeader(value),
        { kind: 'malformed', message: "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'." },
        value,
      );
    }
  });

  it('calls other schemes, an empty token and a huge header malformed, and repeats none of it', () => {
    for (const value of ['Basic c2VjcmV0', 'secret', 'Bearer', `Key id:${'s'.repeat(10_000)}`]) {
      const parsed = parseAuthorizationHeader(value);
      assert.ok(parsed.kind === 'malformed', value.slice(0, 20));
      assert.doesNotMatch(parsed.message, /c2VjcmV0|sss|^secret/);
    }
  });
});

describe('parseRpcCredential', () => {
  const parse = (metadata: Record<string, string>) => parseRpcCredential((name) => metadata[name]);

  it('reads the two metadata entries of the official client', () => {
    assert.deepEqual(parse({ 'auth-key': 's:e', 'auth-key-id': 'id' }), { kind: 'key', keyId: 'id', keySecret: 's:e' });
  });

  it('prefers them to the authorization entry', () => {
    const parsed = parse({ 'auth-key': 'secret', 'auth-key-id': 'id', authorization: 'Bearer token' });
    assert.equal(parsed.kind, 'key');
  });

  it('reads authorization as over HTTP', () => {
    assert.deepEqual(parse({ authorization: 'Bearer token' }), { kind: 'bearer', token: 'token' });
    assert.deepEqual(parse({ authorization: 'Key id:secret' }), { kind: 'key', keyId: 'id', keySecret: 'secret' });
    assert.deepEqual(parse({}), { kind: 'none' });
  });

  it('calls half a key malformed', () => {
    assert.equal(parse({ 'auth-key': 'secret' }).kind, 'malformed');
    assert.equal(parse({ 'auth-key-id': 'id' }).kind, 'malformed');
  });
});

describe('credentials, whatever is sent', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(':', 'a:', ':b', 'a:b:c', ' '.repeat(9_000)),
  );
  const scheme = fc.constantFrom('Key', 'bearer', 'KEY', 'Basic', 'Key Key', '');
  const header = fc.oneof(
    anything,
    fc.tuple(scheme, anything).map((parts) => parts.join(' ')),
  );

  it('are whole, none or malformed, and never told back', () => {
    fc.assert(
      fc.property(fc.option(header), fc.option(anything), fc.option(anything), (authorization, keyId, key) => {
        const values: Record<string, string | null> = { authorization, 'auth-key-id': keyId, 'auth-key': key };
        for (const found of [parseAuthorizationHeader(authorization), parseRpcCredential((name) => values[name])]) {
          if (found.kind === 'key') assert.ok(found.keyId !== '' && found.keySecret !== '');
          if (found.kind === 'bearer') assert.ok(found.token.trim() !== '' && found.token.length <= 8_192);
          // One of a few fixed texts: nothing of what was sent is in it.
          if (found.kind === 'malformed')
            assert.match(found.message, /^(?:Invalid |The (?:Authorization|metadata|key) )/);
        }
      }),
    );
  });

  it('that are keys come apart as they were put together', () => {
    const part = fc.stringMatching(/^[^\s:]{1,40}$/);
    fc.assert(
      fc.property(part, fc.stringMatching(/^\S{1,60}$/), (keyId, keySecret) => {
        assert.deepEqual(splitKey(`${keyId}:${keySecret}`), { keyId, keySecret });
        const expected = { kind: 'key', keyId, keySecret };
        assert.deepEqual(parseAuthorizationHeader(`Key ${keyId}:${keySecret}`), expected);
      }),
    );
  });
});
