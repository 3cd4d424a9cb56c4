import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMask } from './mask-secrets.ts';

describe('createMask', () => {
  it('hides values longer than eight characters and leaves shorter ones', () => {
    const mask = createMask({ TOKEN: 'abcdefghi', SHORT: 'abcdefgh' });
    assert.equal(mask('token=abcdefghi, twice abcdefghi'), 'token=********, twice ********');
    assert.equal(mask('abcdefgh'), 'abcdefgh');
  });

  it('hides the key of the runner but not the hosts', () => {
    const mask = createMask({
      FAL_KEY: 'id-of-key:secret-of-key',
      FAL_HOST: 'localhost:8443',
      FAL_KEY_SECRET: 'secret-of-key',
    });
    assert.equal(mask('id-of-key:secret-of-key secret-of-key localhost:8443'), '******** ******** localhost:8443');
  });

  it('hides each line of a value of several lines', () => {
    const mask = createMask({ PEM: '-----BEGIN-----\nMIIBVgIBADANBg\n-----END-----\n' });
    assert.equal(mask('MIIBVgIBADANBg'), '********');
  });

  it('takes special characters literally and hides the longer of two that begin alike', () => {
    const mask = createMask({ A: 'pass.word+1[', B: 'pass.word+1[more' });
    assert.equal(mask('pass.word+1[more|pass.word+1[|passXword+1['), '********|********|passXword+1[');
  });
});
