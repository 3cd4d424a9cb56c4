import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findNicknameProblem, toNickname } from './nickname.ts';

describe('a nickname', () => {
  it('is a plain path segment', () => {
    for (const nickname of ['ada', 'Ada-Lovelace_1.x', '7', 'a'.repeat(63)]) {
      assert.equal(findNicknameProblem(nickname), null, nickname);
    }
    for (const nickname of ['', 'a/b', '..', '-a', 'a b', 'ü', 'a'.repeat(64)]) {
      assert.match(findNicknameProblem(nickname) ?? '', /^must be up to 63 letters/, nickname);
    }
  });

  it('is no word that app ids use otherwise', () => {
    assert.match(findNicknameProblem('Workflows') ?? '', /reserved/);
    assert.match(findNicknameProblem('comfy') ?? '', /reserved/);
  });

  it('comes out of any login name', () => {
    assert.equal(toNickname('DOMAIN\\josé doe'), 'DOMAIN-jose-doe');
    assert.equal(toNickname('root'), 'root');
    assert.equal(toNickname('workflows'), 'workflows-1');
    assert.equal(toNickname('--'), 'local');
    for (const login of ['', '__', '-'.repeat(100), 'x'.repeat(100), '日本']) {
      assert.equal(findNicknameProblem(toNickname(login)), null, login);
    }
  });
});
