import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isClientError, type ClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import { grpcMetadata, httpHeaders } from './credentials.ts';
import { createSettings, type SettingsInput } from './settings.ts';

const config = `check_updates = false
[__internal__]
profile = "prod"
team = "acme"
[prod]
key = "prod-id:prod-secret"
host = "api.prod.example"
[other]
key = "other-id:other:secret"
[broken]
key = "no colon"
`;

const jwt = (claims: Record<string, unknown>): string =>
  ['{}', JSON.stringify(claims), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');

describe('settings', () => {
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'lanner-settings-'));
    mkdirSync(join(home, '.fal'));
    writeFileSync(join(home, '.fal/config.toml'), config);
  });
  after(() => rmSync(home, { recursive: true, force: true }));

  const settings = (environment: Record<string, string>, input: SettingsInput = {}) =>
    createSettings(input, { HOME: home, ...environment });
  const keyId = (environment: Record<string, string>, input?: SettingsInput): string => {
    const found = settings(environment, input).credentials();
    return found.kind === 'key' ? found.keyId : found.kind;
  };
  const failure = (environment: Record<string, string>, input?: SettingsInput): ClientError => {
    try {
      settings(environment, input).credentials();
    } catch (error) {
      if (isClientError(error)) return error;
      throw error;
    }
    throw new assert.AssertionError({ message: 'nothing was thrown' });
  };
  const nowhere = { FAL_CONFIG_PATH: '/no/such/config.toml', FAL_HOME_DIR: '/no/such/folder' };

  test('take the key from code, LANNER_KEY, FAL_KEY, the profile, and the two halves, in this order', () => {
    const all = { LANNER_KEY: 'lanner:s', FAL_KEY: 'fal:s', FAL_KEY_ID: 'half', FAL_KEY_SECRET: 's' };
    assert.equal(keyId(all, { apiKey: 'code:s' }), 'code');
    assert.equal(keyId(all), 'lanner');
    assert.equal(keyId({ ...all, LANNER_KEY: '' }), 'fal');
    assert.equal(keyId({ FAL_KEY_ID: 'half', FAL_KEY_SECRET: 's' }), 'prod-id');
    assert.equal(keyId({ FAL_KEY_ID: 'half', FAL_KEY_SECRET: 's', ...nowhere }), 'half');
  });

  test('split a key at its first colon only', () => {
    const found = settings({}, { profile: 'other' }).credentials();
    assert.deepEqual(found.kind === 'key' && [found.keyId, found.keySecret], ['other-id', 'other:secret']);
  });

  test('know the profile asked for, the one of FAL_PROFILE and the default one', () => {
    assert.equal(keyId({}), 'prod-id');
    assert.equal(keyId({ FAL_PROFILE: 'other' }), 'other-id');
    assert.equal(keyId({ FAL_PROFILE: 'prod' }, { profile: 'other' }), 'other-id');
    assert.equal(
      failure({ FAL_PROFILE: 'unknown', FAL_HOME_DIR: '/no/such/folder' }).code,
      'no_credentials',
      'an unknown FAL_PROFILE is none',
    );
    const unknown = failure({}, { profile: 'unknown' });
    assert.equal(unknown.code, 'invalid_profile');
    assert.match(unknown.message, /"prod", "other", "broken"/);
  });

  test('take the host from the default profile and never from the one asked for in code', () => {
    assert.equal(settings({}).hosts().grpc, 'api.prod.example');
    assert.equal(settings({}, { profile: 'other' }).hosts().grpc, 'api.prod.example');
    assert.equal(settings({ FAL_PROFILE: 'other' }).hosts().grpc, 'api.alpha.fal.ai');
    assert.equal(settings({}).team(), 'acme');
    assert.equal(settings({}, { team: 'else' }).team(), 'else');
  });

  test('end the search at a key without colon and say where it came from', () => {
    const fromVariable = failure({ FAL_KEY: 'secret-without-colon', FAL_KEY_ID: 'half', FAL_KEY_SECRET: 's' });
    assert.equal(fromVariable.code, 'invalid_key');
    assert.match(fromVariable.message, /FAL_KEY/);
    assert.doesNotMatch(
      JSON.stringify([fromVariable.message, fromVariable.advice, fromVariable.details]),
      /secret-without/,
    );
    assert.match(failure({ FAL_PROFILE: 'broken' }).message, /profile "broken"/);
    assert.equal(failure({}, { apiKey: 'no-colon' }).code, 'invalid_key');
  });

  test('name every place that was looked at when there is nothing', () => {
    const nothing = failure(nowhere);
    assert.equal(nothing.code, 'no_credentials');
    for (const place of [
      'apiKey',
      'LANNER_KEY',
      'FAL_KEY',
      '/no/such/config.toml',
      'FAL_KEY_SECRET',
      '/no/such/folder/auth0_token',
    ]) {
      assert.ok(nothing.message.includes(place), place);
    }
  });

  test('use the login when there is no key or it is asked for, as long as it is fresh', () => {
    const token = join(home, 'auth0_token');
    const environment = { FAL_HOME_DIR: home, FAL_FORCE_AUTH_BY_USER: '1', FAL_KEY: 'fal:s' };
    const soon = Math.floor(Date.now() / 1000);
    writeFileSync(token, `refresh\n${jwt({ exp: soon + 31 * 60 })}\n`);
    const found = settings(environment).credentials();
    assert.equal(found.kind, 'login');
    assert.deepEqual(Object.keys(httpHeaders(found, 'user_1')), ['authorization', 'x-fal-user-id']);
    assert.deepEqual(Object.keys(grpcMetadata(found, undefined)), ['authorization']);
    writeFileSync(token, `refresh\n${jwt({ exp: soon + 29 * 60 })}\n`);
    assert.equal(failure(environment).code, 'login_expired');
    writeFileSync(token, `refresh\n${jwt({})}\n`);
    assert.equal(settings(environment).credentials().kind, 'login', 'a token without end is fresh');
    writeFileSync(token, 'refresh\nnot a token\n');
    assert.equal(failure(environment).code, 'login_expired');
    rmSync(token);
  });

  test('send nothing when authentication is off', () => {
    assert.equal(settings({ ISOLATE_AUTH_DISABLED: '1' }).credentials().kind, 'none');
    assert.deepEqual(httpHeaders({ kind: 'none' }, undefined), {});
  });

  test('tell a configuration file that is no TOML', () => {
    const path = join(home, 'broken.toml');
    writeFileSync(path, 'key = \n');
    const broken = failure({ FAL_CONFIG_PATH: path });
    assert.equal(broken.code, 'invalid_config_file');
    assert.ok(broken.message.includes(path));
  });

  test('are not looked at before they are needed', async () => {
    const client = new ServerlessClient({ apiKey: 'no-colon', environment: { HOME: home, FAL_HOST: 'nonsense' } });
    await assert.rejects(
      async () => client.apps.list(),
      (error) => isClientError(error) && error.code === 'invalid_key',
    );
    await client[Symbol.asyncDispose]();
    await assert.rejects(
      async () => client.apps.list(),
      (error) => isClientError(error) && error.code === 'invalid_key',
    );
  });
});
