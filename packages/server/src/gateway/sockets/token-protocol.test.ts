import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ownProtocol, readProtocolToken, withoutTokenProtocol } from './token-protocol.ts';

describe('a token among the protocols of a WebSocket', () => {
  it('is the one behind fal_jwt_token', () => {
    assert.equal(readProtocolToken('fal_jwt_token, abc.def'), 'abc.def');
    assert.equal(readProtocolToken('chat,fal_jwt_token,abc.def , v2'), 'abc.def');
    assert.equal(readProtocolToken('fal_jwt_token'), null);
    assert.equal(readProtocolToken('chat'), null);
    assert.equal(readProtocolToken(undefined), null);
  });

  it('does not reach the app, and everything else does', () => {
    assert.equal(withoutTokenProtocol('chat,fal_jwt_token,abc.def , v2'), 'chat, v2');
    assert.equal(withoutTokenProtocol('fal_jwt_token, abc'), null);
    assert.equal(withoutTokenProtocol('chat, v2'), 'chat, v2');
  });

  it('is answered with its name alone', () => {
    assert.equal(ownProtocol('fal_jwt_token, abc'), 'fal_jwt_token');
    assert.equal(ownProtocol('chat'), null);
    assert.equal(ownProtocol(undefined), null);
  });

  it('never passes on, whatever is offered around it', () => {
    const name = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (before, after) => {
        const offered = [...before, 'fal_jwt_token', 'secret-token', ...after].join(',');
        assert.ok(!(withoutTokenProtocol(offered) ?? '').includes('secret-token') || before.includes('fal_jwt_token'));
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});
