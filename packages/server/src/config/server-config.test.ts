import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { loadServerConfig, type ServerFlags } from './server-config.ts';

/** The problems that are reported, one string each. */
function problems(flags: ServerFlags, environment: Record<string, string> = {}): string[] {
  try {
    loadServerConfig(flags, environment);
  } catch (error) {
    assert.ok(isLannerError(error));
    assert.equal(error.code, 'config_invalid');
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

test('without flags and variables the defaults hold', () => {
  const { accountNickname, ...config } = loadServerConfig({}, {});
  assert.match(accountNickname, /^[A-Za-z0-9]/);
  assert.deepEqual(config, {
    dataDir: join(homedir(), '.lanner'),
    port: 8443,
    httpPort: 8080,
    host: '127.0.0.1',
    domain: null,
    publicUrl: null,
    tlsCert: null,
    tlsKey: null,
    detach: false,
    remoteProxy: false,
    webhookPrivateTargets: null,
    webhookHorizonMs: 24 * 3_600_000,
    resultRetentionMs: 30 * 86_400_000,
    payloadRetentionMs: 30 * 86_400_000,
    socketIdleMs: 3_600_000,
    upstreamProxy: null,
  });
});

test('a flag wins over a variable, a variable over the default, and an empty variable is none', () => {
  const environment = { LANNER_PORT: '1', LANNER_HTTP_PORT: '2', LANNER_LISTEN_HOST: '', LANNER_HOME: '/x' };
  const config = loadServerConfig({ port: '0' }, environment);
  assert.deepEqual([config.port, config.httpPort, config.host, config.dataDir], [0, 2, '127.0.0.1', '/x']);
});

test('names are lower-cased and the public URL becomes an origin', () => {
  const config = loadServerConfig({ domain: 'Lanner.Example', publicUrl: 'https://Lanner.example:443/' }, {});
  assert.deepEqual([config.domain, config.publicUrl], ['lanner.example', 'https://lanner.example']);
});

test('durations have units, and yes or no may be left open', () => {
  const config = loadServerConfig(
    { payloadRetention: '90s' },
    { LANNER_WEBHOOK_HORIZON: '15m', LANNER_RESULT_RETENTION: '2d' },
  );
  assert.deepEqual(
    [config.payloadRetentionMs, config.webhookHorizonMs, config.resultRetentionMs],
    [90_000, 900_000, 172_800_000],
  );
  assert.equal(loadServerConfig({ webhookPrivateTargets: 'false' }, {}).webhookPrivateTargets, false);
  const told = problems({ payloadRetention: '30', webhookHorizon: '0s', webhookPrivateTargets: 'perhaps' });
  assert.equal(told.length, 3);
  assert.match(told[1]!, /^webhookHorizon = "0s" \(flag --webhook-horizon\): must be a number and its unit/);
});

test('all problems are told at once, each with its value, its origin and the rule', () => {
  const told = problems({ port: 'abc', host: 'a b' }, { LANNER_DOMAIN: 'localhost', LANNER_DETACH: 'maybe' });
  assert.equal(told.length, 4);
  assert.match(told[0]!, /^port = "abc" \(flag --port\): must be a whole number from 0 to 65535/);
  assert.match(told[1]!, /^host = "a b" \(flag --host\)/);
  assert.match(told[2]!, /^domain = "localhost" \(environment LANNER_DOMAIN\)/);
  assert.match(told[3]!, /^detach = "maybe" \(environment LANNER_DETACH\): must be true or false/);
});

for (const [what, flags, rule] of [
  ['a port above 65535', { port: 65536 }, /^port/],
  ['a negative port', { httpPort: '-1' }, /^httpPort/],
  ['a port with a fraction', { port: 1.5 }, /^port/],
  ['the same port twice', { port: 9000, httpPort: '9000' }, /^httpPort.*TLS port already/],
  ['a domain that is an address', { domain: '10.0.0.1' }, /^domain/],
  ["a domain of fal's", { domain: 'my.fal.run' }, /^domain.*fal's own/],
  ['a domain with a port', { domain: 'a.example:8443' }, /^domain/],
  ['a public URL with a path', { publicUrl: 'https://a.example/x' }, /^publicUrl/],
  ['a public URL with a password', { publicUrl: 'https://a:b@a.example' }, /^publicUrl/],
  ['a public URL of another scheme', { publicUrl: 'ftp://a.example' }, /^publicUrl/],
  ['a certificate without key', { domain: 'a.example', tlsCert: 'c.pem' }, /^tlsCert.*--tls-key/],
  ['a key without certificate', { domain: 'a.example', tlsKey: 'k.pem' }, /^tlsKey.*--tls-cert/],
  ['a certificate without domain', { tlsCert: 'c.pem', tlsKey: 'k.pem' }, /^tlsCert.*no --domain/],
  ['a host name with "api"', { host: 'my-api.corp' }, /^host.*"api"/],
  ['a public host name without "api"', { publicUrl: 'https://captain.example' }, null],
  ['a public host name that contains "api"', { publicUrl: 'https://papillon.example' }, /^publicUrl.*"api"/],
  ['a nickname with a slash', { accountNickname: 'a/b' }, /^accountNickname/],
  ['an empty data folder', { dataDir: '' }, /^dataDir/],
] as const) {
  test(`${what} is ${rule === null ? 'accepted' : 'refused'}`, () => {
    const told = problems(flags as ServerFlags);
    if (rule === null) assert.deepEqual(told, []);
    else {
      assert.equal(told.length, 1, told.join('\n'));
      assert.match(told[0]!, rule);
    }
  });
}

test('host names with "api" are fine in domain mode, where clients know every name', () => {
  assert.deepEqual(problems({ domain: 'a.example', publicUrl: 'https://papillon.example' }), []);
});

test("the server's own proxy is read from the environment", () => {
  const { upstreamProxy } = loadServerConfig({}, { HTTPS_PROXY: 'http://corp:3128', no_proxy: 'a,b' });
  assert.deepEqual(upstreamProxy, { url: 'http://corp:3128/', noProxy: 'a,b' });
});
