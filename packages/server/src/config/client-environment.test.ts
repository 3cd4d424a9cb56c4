import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientEnvironment, clientHosts, interceptEnvironment, trustedFiles } from './client-environment.ts';
import { decodeProxyUser } from './proxy-credentials.ts';

const access = {
  tlsPort: 9443,
  httpPort: 9080,
  host: '127.0.0.1',
  domain: null,
  key: 'id:secret',
  bundlePath: '/data/ca/bundle.pem',
  proxyToken: 'tok',
};

test('path mode puts every role behind one authority', () => {
  assert.deepEqual(clientEnvironment(access, 'path', {}), {
    FAL_GRPC_HOST: 'localhost:9443',
    FAL_REST_HOST: 'localhost:9443',
    FAL_RUN_HOST: 'localhost:9443/run',
    FAL_QUEUE_RUN_HOST: 'localhost:9443/queue',
    FAL_WS_RUN_HOST: 'localhost:9443/ws',
    FAL_CDN_V3_HOST: 'https://localhost:9443/cdn',
    FAL_KEY: 'id:secret',
    SSL_CERT_FILE: '/data/ca/bundle.pem',
    REQUESTS_CA_BUNDLE: '/data/ca/bundle.pem',
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: '/data/ca/bundle.pem',
    NODE_EXTRA_CA_CERTS: '/data/ca/bundle.pem',
    no_proxy: 'localhost,127.0.0.1,::1',
    NO_PROXY: 'localhost,127.0.0.1,::1',
  });
});

test('domain mode gives each role its name, and the port only where it is not 443', () => {
  const inDomain = { ...access, domain: 'l.example' };
  const variables = clientEnvironment(inDomain, 'domain', { no_proxy: 'corp' });
  assert.equal(variables.FAL_HOST, 'api.l.example:9443');
  assert.equal(variables.FAL_GRPC_HOST, 'api.l.example:9443');
  assert.equal(variables.FAL_RUN_HOST, 'l.example:9443');
  assert.equal(variables.FAL_QUEUE_RUN_HOST, 'queue.l.example:9443');
  assert.equal(variables.no_proxy, 'corp,localhost,127.0.0.1,::1,l.example,.l.example');
  assert.equal(clientEnvironment({ ...inDomain, tlsPort: 443 }, 'domain', {}).FAL_HOST, 'api.l.example');
});

test('the host in path mode is the one clients can reach and certificates name', () => {
  const grpcHost = (host: string): string => clientHosts({ host, domain: null }, 1).grpcHost;
  assert.equal(grpcHost('0.0.0.0'), 'localhost:1');
  assert.equal(grpcHost('::'), 'localhost:1');
  assert.equal(grpcHost('192.168.1.5'), '192.168.1.5:1');
  assert.equal(grpcHost('127.0.0.9'), '127.0.0.9:1');
  assert.equal(grpcHost('fd00::5'), '[fd00::5]:1');
  assert.match(clientEnvironment({ ...access, host: '192.168.1.5' }, 'path', {}).no_proxy!, /,192\.168\.1\.5$/);
});

test('exceptions of the caller stay, once each', () => {
  const { no_proxy } = clientEnvironment(access, 'path', { NO_PROXY: 'a.corp, localhost b.corp' });
  assert.equal(no_proxy, 'a.corp,localhost,b.corp,127.0.0.1,::1');
});

test("intercept mode sets fal's own hosts, the proxy in both spellings, and no other key", () => {
  const { set, unset } = interceptEnvironment(access, { FAL_KEY: 'hosted:key', FAL_KEY_ID: 'x' });
  assert.equal(set.FAL_GRPC_HOST, 'api.alpha.fal.ai');
  assert.equal(set.FAL_RUN_HOST, 'fal.run');
  assert.equal(set.FAL_KEY, 'id:secret');
  assert.equal(set.NODE_USE_ENV_PROXY, '1');
  assert.equal(set.https_proxy, 'http://lanner.direct:tok@127.0.0.1:9080');
  assert.equal(set.HTTPS_PROXY, set.https_proxy);
  assert.equal(set.NO_PROXY, set.no_proxy);
  for (const name of [
    'FAL_KEY_ID',
    'FAL_KEY_SECRET',
    'FAL_HOST',
    'grpc_proxy',
    'ISOLATE_AUTH_DISABLED',
    'FAL_FORCE_AUTH_BY_USER',
  ]) {
    assert.ok(unset.includes(name), name);
    assert.ok(!(name in set), name);
  }
});

test("a company's proxy travels in the user name, exceptions included", () => {
  const environment = { https_proxy: 'me:p%40ss@corp:3128', no_proxy: '*,a.corp' };
  const { set } = interceptEnvironment(access, environment);
  const user = new URL(set.https_proxy!).username;
  assert.deepEqual(decodeProxyUser(user), {
    kind: 'proxy',
    proxy: { url: 'http://me:p%40ss@corp:3128/', noProxy: '*,a.corp' },
  });
});

test('a proxy that cannot carry tunnels is reported without its password', () => {
  const change = interceptEnvironment(access, { ALL_PROXY: 'socks5://me:secret@corp:1080' });
  assert.equal(change.unsupportedProxy, 'socks5://corp:1080');
  assert.match(change.set.https_proxy!, /lanner\.direct/);
});

for (const entry of [
  '*',
  '*.*',
  'fal.run',
  '.fal.run',
  '*.fal.run',
  'queue.fal.run',
  'FAL.ai',
  'ai',
  '.run',
  'run',
  'l.ai',
  'fal.run:443',
  'media',
  'https://fal.run',
  'api.alpha.fal.ai.',
  'falrun.com',
  'com',
  'm',
]) {
  test(`the exception "${entry}" of the caller cannot lead past Lanner`, () => {
    const { set } = interceptEnvironment(access, { no_proxy: `a.corp,${entry}` });
    assert.equal(set.no_proxy, 'a.corp,localhost,127.0.0.1,::1');
  });
}

test('exceptions that cannot match fal stay in intercept mode too', () => {
  const { set } = interceptEnvironment(access, { no_proxy: 'a.corp,.intern,10.0.0.0/8,[fd00::1],notfal.example' });
  assert.equal(set.no_proxy, 'a.corp,.intern,10.0.0.0/8,[fd00::1],notfal.example,localhost,127.0.0.1,::1');
});

test('files the caller trusts already are named, so that the bundle can contain them', () => {
  assert.deepEqual(trustedFiles({ SSL_CERT_FILE: '/a', CURL_CA_BUNDLE: '/b', NODE_EXTRA_CA_CERTS: '' }), ['/a', '/b']);
});
