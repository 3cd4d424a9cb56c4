import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routeRequest, type AddressConfig, type RequestTarget, type Routing } from './route-request.ts';

const domain: AddressConfig = { domain: 'lanner.example', publicUrl: null };
const none: AddressConfig = { domain: null, publicUrl: null };

function route(
  authority: string | undefined,
  target: string,
  config = none,
  more: Partial<RequestTarget> = {},
): Routing {
  return routeRequest({ authority, target, contentType: undefined, scheme: 'https', localPort: 8443, ...more }, config);
}

function summary(routing: Routing): string {
  return 'refused' in routing ? routing.refused : `${routing.origin.mode} ${routing.role} ${routing.path}`;
}

const cases: [authority: string, target: string, expected: string][] = [
  ['localhost:8443', '/run/alice/app?x=1', 'path run /alice/app?x=1'],
  ['localhost:8443', '/run', 'path run /'],
  ['localhost:8443', '/run?x=1', 'path run /?x=1'],
  ['localhost:8443', '/run/', 'path run /'],
  ['localhost:8443', '/run//alice', 'path run //alice'],
  ['localhost:8443', '/running', 'path rest /running'],
  ['localhost:8443', '/queue/alice/app', 'path queue /alice/app'],
  ['localhost:8443', '/ws/alice/app', 'path ws /alice/app'],
  ['localhost:8443', '/cdn/files/x', 'path cdn /files/x'],
  ['localhost:8443', '/kv/get/x', 'path kv /get/x'],
  ['localhost:8443', '/users/current', 'path rest /users/current'],
  ['localhost:8443', '/', 'path rest /'],
  ['localhost:8443', '/controller.IsolateController/Run', 'path rpc /controller.IsolateController/Run'],
  ['localhost:8443', '/grpc.health.v1.Health/Check', 'path rpc /grpc.health.v1.Health/Check'],
  ['localhost:8443', '/run/controller.IsolateController/Run', 'path run /controller.IsolateController/Run'],
  ['[::1]:8443', '/run/a/b', 'path run /a/b'],
  ['lanner.example', '/alice/app', 'domain run /alice/app'],
  ['LANNER.example.:8443', '/alice/app', 'domain run /alice/app'],
  ['lanner.example', '/run/app', 'domain run /run/app'],
  ['api.lanner.example', '/controller.IsolateController/Run', 'domain rpc /controller.IsolateController/Run'],
  ['api.lanner.example', '/v1/keys', 'domain rest /v1/keys'],
  ['rest.lanner.example', '/users/current', 'domain rest /users/current'],
  ['queue.lanner.example', '/alice/app', 'domain queue /alice/app'],
  ['ws.lanner.example', '/alice/app', 'domain ws /alice/app'],
  ['kv.lanner.example', '/x', 'domain kv /x'],
  ['cdn.lanner.example', '/files/x', 'domain cdn /files/x'],
  ['other.lanner.example', '/', 'not_found'],
  ['deep.api.lanner.example', '/', 'not_found'],
  ['notlanner.example', '/x', 'path rest /x'],
  ['fal.run', '/alice/app', 'intercept run /alice/app'],
  ['FAL.run:443', '/alice/app', 'intercept run /alice/app'],
  ['queue.fal.run', '/alice/app', 'intercept queue /alice/app'],
  ['ws.fal.run', '/alice/app', 'intercept ws /alice/app'],
  ['falrun.com', '/alice/app', 'intercept run /alice/app'],
  ['queue.falrun.com', '/alice/app', 'intercept queue /alice/app'],
  ['rest.fal.ai', '/storage/x', 'intercept rest /storage/x'],
  ['rest.alpha.fal.ai', '/users/current', 'intercept rest /users/current'],
  ['api.alpha.fal.ai', '/controller.IsolateController/Run', 'intercept rpc /controller.IsolateController/Run'],
  ['api.alpha.fal.ai', '/x', 'intercept rest /x'],
  ['v3.fal.media', '/files/x', 'intercept cdn /files/x'],
  ['v3b.fal.media', '/files/x', 'intercept cdn /files/x'],
  ['kv.fal.media', '/get/x', 'intercept kv /get/x'],
  ['auth.fal.ai', '/oauth/token', 'not_found'],
  ['myfal.run', '/x', 'path rest /x'],
  ['localhost:8443', 'http://fal.run/alice/app', 'intercept run /alice/app'],
  ['localhost:8443', 'https://queue.fal.run', 'intercept queue /'],
  ['localhost:8443', '*', 'path rest /'],
  ['localhost:8443', 'alice', 'bad_request'],
  ['a b', '/', 'bad_request'],
  ['user@host', '/', 'bad_request'],
  ['localhost:99999', '/', 'bad_request'],
  ['', '/', 'bad_request'],
];

for (const [authority, target, expected] of cases) {
  test(`${authority || '(empty)'} ${target} goes to: ${expected}`, () => {
    assert.equal(summary(route(authority, target, domain)), expected);
  });
}

test('gRPC is told by its content type on hosts that it shares with REST, and nowhere else', () => {
  const grpc = { contentType: 'application/grpc+proto' };
  assert.equal(summary(route('localhost:8443', '/some.Service/Do', none, grpc)), 'path rpc /some.Service/Do');
  assert.equal(summary(route('api.lanner.example', '/a.B/C', domain, grpc)), 'domain rpc /a.B/C');
  assert.equal(summary(route('localhost:8443', '/run/a/b', none, grpc)), 'path run /a/b');
  assert.equal(summary(route('lanner.example', '/a/b', domain, grpc)), 'domain run /a/b');
});

test('the origin carries the hosts by which the same caller can follow', () => {
  const path = route('127.0.0.1:9000', '/x');
  assert.deepEqual('origin' in path && path.origin, {
    mode: 'path',
    scheme: 'https',
    hosts: {
      grpcHost: '127.0.0.1:9000',
      restHost: '127.0.0.1:9000',
      runHost: '127.0.0.1:9000/run',
      queueHost: '127.0.0.1:9000/queue',
      wsHost: '127.0.0.1:9000/ws',
      cdnHost: '127.0.0.1:9000/cdn',
      kvHost: '127.0.0.1:9000/kv',
    },
  });
  const inDomain = route('queue.lanner.example:9000', '/x', domain, { scheme: 'http' });
  assert.deepEqual('origin' in inDomain && inDomain.origin, {
    mode: 'domain',
    scheme: 'http',
    hosts: {
      grpcHost: 'api.lanner.example:9000',
      restHost: 'rest.lanner.example:9000',
      runHost: 'lanner.example:9000',
      queueHost: 'queue.lanner.example:9000',
      wsHost: 'ws.lanner.example:9000',
      cdnHost: 'cdn.lanner.example:9000',
      kvHost: 'kv.lanner.example:9000',
    },
  });
  const intercepted = route('rest.fal.ai', '/x');
  assert.equal('origin' in intercepted && intercepted.origin.hosts.restHost, 'rest.fal.ai');
  assert.equal('origin' in intercepted && intercepted.origin.hosts.queueHost, 'queue.fal.run');
});

test('an IPv6 authority keeps its brackets in outgoing hosts', () => {
  const routing = route('[::1]:9000', '/x');
  assert.equal('origin' in routing && routing.origin.hosts.runHost, '[::1]:9000/run');
});

test('a request without a host is answered for this machine', () => {
  const routing = route(undefined, '/run/a/b');
  assert.equal('origin' in routing && routing.origin.hosts.runHost, 'localhost:8443/run');
});

test('behind the public URL its scheme and port are told, not those of the inner connection', () => {
  const config = { domain: 'lanner.example', publicUrl: 'https://lanner.example' };
  const routing = route('queue.lanner.example', '/x', config, { scheme: 'http' });
  assert.equal('origin' in routing && routing.origin.scheme, 'https');
  assert.equal('origin' in routing && routing.origin.hosts.runHost, 'lanner.example');
});

test('a caller that comes past the public URL by another port keeps that port', () => {
  const config = { domain: null, publicUrl: 'https://box.example' };
  const routing = route('box.example:8080', '/x', config, { scheme: 'http' });
  assert.equal('origin' in routing && routing.origin.scheme, 'http');
  assert.equal('origin' in routing && routing.origin.hosts.runHost, 'box.example:8080/run');
});

test('whatever is asked for has one role and a path, or is refused', () => {
  const anything = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
  const authority = fc.oneof(
    anything,
    fc.constantFrom(
      'localhost:8443',
      'queue.lanner.example',
      'x.lanner.example',
      'evil-lanner.example',
      'rest.fal.ai',
      'afal.ai',
    ),
    fc.constantFrom('[::1]:1', '[::1', 'a:0', 'a:99999', 'a@b', 'v3.fal.media', 'LANNER.EXAMPLE.'),
  );
  const target = fc.oneof(
    anything,
    fc.tuple(fc.constantFrom('/run', '/queue', '/ws', '/cdn', '/kv', '/', ''), anything).map((parts) => parts.join('')),
    fc.tuple(authority, anything).map(([host, rest]) => `http://${host}${rest}`),
    fc.constantFrom('*', '', '/run?x', '//run/a', '/run#x'),
  );
  const config = fc.constantFrom(none, domain, { domain: null, publicUrl: 'https://[::1]:9/' });
  fc.assert(
    fc.property(
      fc.option(authority, { nil: undefined }),
      target,
      config,
      anything,
      (host, path, settings, contentType) => {
        const routing = route(host, path, settings, { contentType });
        if ('refused' in routing) return assert.notEqual(routing.message, '');
        assert.match(routing.path, /^\//);
        assert.ok(['rpc', 'rest', 'run', 'queue', 'ws', 'cdn', 'kv'].includes(routing.role));
        // Outgoing URLs are made of it.
        for (const each of [routing.origin.hosts.runHost, routing.origin.hosts.queueHost]) {
          assert.ok(!/[\s@#?\\]/.test(each), each);
        }
      },
    ),
  );
});
