import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { assertAliasName, toAliasName, toBaseName } from './alias-name.ts';

const refuses = (aliasName: string, environmentName: string, text: RegExp): void =>
  assert.throws(
    () => assertAliasName(aliasName, environmentName),
    (error) => isLannerError(error) && error.code === 'invalid_argument' && text.test(error.message),
    aliasName.slice(0, 50),
  );

describe('alias names', () => {
  it('carry the suffix of every environment but main', () => {
    assert.equal(toAliasName('app', 'main'), 'app');
    assert.equal(toAliasName('app', 'staging'), 'app--staging');
    assert.equal(toBaseName('app--staging', 'staging'), 'app');
    assert.equal(toBaseName('app--staging', 'main'), 'app--staging');
    assert.equal(toBaseName('app', 'staging'), 'app');
  });

  it('may be kebab case, snake case, a Python name, or begin with a digit', () => {
    for (const name of [
      'app',
      'my-good-app',
      'addition_app',
      'MyApp',
      'flux-v',
      '3d-model',
      'o-n-n-x-model',
      'app_',
      'a__b',
      'x'.repeat(128),
    ]) {
      assertAliasName(name, 'main');
    }
    assertAliasName('my_app--test-env_2', 'test-env_2');
  });

  it('are refused with a name that would do', () => {
    refuses('My App!', 'main', /"my-app"/);
    refuses('a/b', 'main', /"a-b"/);
    refuses('../etc', 'main', /"etc"/);
    refuses('-app', 'main', /"app"/);
    refuses('app-', 'main', /"app"/);
    refuses('', 'main', /"my-app"/);
    refuses('日本', 'main', /"my-app"/);
    refuses('naïve app', 'main', /"naive-app"/);
    refuses('x'.repeat(129), 'main', /up to 128/);
    refuses('goodName.v2', 'main', /"good-name-v2"/);
  });

  it('hold two dashes only before their own environment', () => {
    refuses('my--app', 'main', /"my-app"/);
    refuses('app--staging', 'main', /"app-staging".*choose one with --env/);
    refuses('app', 'staging', /"app--staging"/);
    refuses('app--other', 'staging', /"app-other--staging"/);
    refuses('--staging', 'staging', /"my-app--staging"/);
  });

  it('are checked in linear time', () => {
    refuses(`${'a-'.repeat(200_000)}!`, 'main', /cannot be used/);
    refuses(`${'a_'.repeat(200_000)}!`, 'main', /cannot be used/);
  });
});
