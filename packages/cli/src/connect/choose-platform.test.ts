import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigurationError, type SettingsReport } from '@lanner/client';
import { choosePlatform, withoutPlatform } from './choose-platform.ts';

const key = { kind: 'key', keyId: 'id', from: 'FAL_KEY' } as const;
const missing = (code: 'no_credentials' | 'invalid_key'): SettingsReport['credentials'] => ({
  kind: 'missing',
  code,
  error: new ConfigurationError(code, code),
});
const report = (more: Partial<SettingsReport>) => (): SettingsReport => ({
  host: 'api.alpha.fal.ai',
  hostFrom: null,
  credentials: missing('no_credentials'),
  profile: undefined,
  team: undefined,
  configPath: '',
  homePath: '',
  ...more,
});
const runs = () => ({ grpcHost: 'localhost:8443' });
const nothingRuns = (): null => null;
const unasked = (): never => assert.fail('asked for the local platform');

describe('the platform of a command', () => {
  test('is the one that --data-dir or --profile names, whatever else there is', () => {
    const everything = report({ credentials: key, hostFrom: 'FAL_HOST' });
    assert.deepEqual(choosePlatform({ dataDir: 'd', profile: 'p', host: 'h' }, everything, unasked), {
      kind: 'local',
      folder: 'd',
    });
    assert.deepEqual(choosePlatform({ profile: 'p', host: 'h' }, everything, unasked), {
      kind: 'profile',
      profile: 'p',
    });
  });

  test('is the configured one as soon as there is a key or login', () => {
    for (const credentials of [key, { kind: 'login', from: 'f' } as const, { kind: 'none' } as const]) {
      assert.deepEqual(choosePlatform({}, report({ credentials }), unasked), { kind: 'configured' });
    }
  });

  test('is never guessed past a key that is wrong', () => {
    assert.deepEqual(choosePlatform({}, report({ credentials: missing('invalid_key') }), unasked), {
      kind: 'configured',
    });
  });

  test('is the one that runs on this machine when nothing is configured', () => {
    assert.deepEqual(choosePlatform({}, report({}), runs), { kind: 'local', folder: undefined });
    assert.deepEqual(choosePlatform({}, report({}), nothingRuns), { kind: 'nowhere' });
  });

  test('is that one too when only its host is named, and not when another host is', () => {
    const named = report({ host: 'localhost:8443', hostFrom: 'LANNER_HOST' });
    assert.deepEqual(choosePlatform({}, named, runs), { kind: 'local', folder: undefined });
    const other = report({ host: 'localhost:9999', hostFrom: 'LANNER_HOST' });
    assert.deepEqual(choosePlatform({}, other, runs), { kind: 'configured' });
  });
});

test('variables that name another platform are taken out, others stay', () => {
  const kept = { PATH: 'p', FAL_ENV: 'staging', FAL_CONFIG_PATH: 'c', SSL_CERT_FILE: 's', LANNER_HOME: 'h' };
  const gone = {
    FAL_KEY: 'k',
    LANNER_KEY: 'k',
    FAL_HOST: 'h',
    FAL_GRPC_HOST: 'h',
    LANNER_REST_HOST: 'h',
    ISOLATE_TEST_MODE: '1',
  };
  assert.deepEqual(withoutPlatform({ ...kept, ...gone }), kept);
});
