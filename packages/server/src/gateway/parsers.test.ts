import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import fc from 'fast-check';
import type { AnyRequest } from '../ports/route.ts';
import { decideRetry, maxAttempts, parseRetryConfig, readRetryPolicy, retryDelayMs } from '../queue/retry-policy.ts';
import type { Target } from '../scheduler/dispatcher.ts';
import { readVerdict, toCallerHeaders } from './caller-response-headers.ts';
import { parseAppPath, parseLegacyAppPath } from './parse-app-path.ts';
import { parseQueuePath, toAppQuery } from './queue/parse-queue-path.ts';
import { readCredential, withoutQueryToken } from './read-credential.ts';
import { resolveApp } from './resolve-app.ts';
import { toRunnerHeaders } from './runner-request-headers.ts';

const anything = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));
const segment = fc.oneof(
  anything,
  fc.constantFrom(
    'acme',
    'app',
    'app--staging',
    '123-app',
    'workflows',
    'comfy',
    'requests',
    'status',
    'stream',
    'response',
    'cancel',
  ),
  fc.constantFrom('..', '.', '%2e%2E', '%2f', '%', '%ff', '%00', '', '?', '#', '\\', ' ', 'ä', '%C3%A4'),
);
const path = fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join('/')}`);
const query = fc
  .array(fc.tuple(fc.oneof(anything, fc.constantFrom('fal_jwt_token', 'fal_webhook', 'logs')), anything), {
    maxLength: 4,
  })
  .map((pairs) => `?${pairs.map((pair) => pair.join('=')).join('&')}`);
const target = fc.oneof(
  path,
  fc.tuple(path, query).map((parts) => parts.join('')),
  anything,
);

/** Refuses with an error of the catalogue that is the caller's, or not at all. */
function tame<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    assert.ok(isLannerError(error), String(error));
    assert.ok(error.entry.httpStatus >= 400 && error.entry.httpStatus < 500);
    assert.ok(error.message.length < 1_000);
    return null;
  }
}

describe('what callers send to the gateway, whatever it is', () => {
  it('as a path names an app without a way out of it, or none', () => {
    fc.assert(
      fc.property(target, (text) => {
        for (const found of [tame(() => parseAppPath(text)), tame(() => parseLegacyAppPath(text))]) {
          if (found === null) continue;
          assert.match(found.path, /^\//);
          assert.ok(found.query === '' || found.query.startsWith('?'));
          // What the app sees is what was sent, to the letter.
          assert.ok(text.endsWith(found.path + found.query) || (found.path === '/' && text.endsWith(found.query)));
          assert.ok(!found.path.split('/').some((part) => /^(?:\.|%2e){1,2}$/i.test(part)));
          for (const name of [...found.owner.split('/'), found.app]) assert.match(name, /^[^\s/\\?#]+$/);
        }
      }),
    );
  });

  it('as an ordinary path comes back as it was', () => {
    const name = fc.stringMatching(/^[\p{L}\p{N}_.~-]{1,20}$/u).filter((text) => !/^\.{1,2}$/.test(text));
    fc.assert(
      fc.property(name, name, fc.array(name, { maxLength: 4 }), (owner, app, rest) => {
        const below = rest.map((each) => `/${encodeURIComponent(each)}`).join('');
        const found = parseAppPath(`/${encodeURIComponent(owner)}/${encodeURIComponent(app)}${below}?x=1`);
        assert.deepEqual(found, { owner, app, path: below === '' ? '/' : below, query: '?x=1' });
      }),
    );
  });

  it('as a path finds nothing but the app that it names', () => {
    const only = { targetId: 'a/app' } as Target;
    fc.assert(
      fc.property(target, (text) => {
        const asked: string[] = [];
        const resolved = tame(() =>
          resolveApp(
            {
              find(owner, name) {
                asked.push(`${owner}/${name}`);
                return owner === 'acme' && name === 'app' ? only : null;
              },
            },
            text,
          ),
        );
        if (resolved === null || resolved.target === null) return;
        assert.equal(`${resolved.appPath.owner}/${resolved.appPath.app}`, 'acme/app');
        assert.ok(asked.length <= 2);
      }),
    );
  });

  it('as a path of the queue is one operation or a submit, in linear time', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'BREW'), path, (method, text) => {
        const operation = parseQueuePath(method, text);
        if (operation.kind === 'submit') return;
        assert.ok(['GET', 'HEAD', 'PUT'].includes(method) && operation.requestId !== '');
        assert.equal(operation.kind === 'cancel', method === 'PUT');
        assert.ok(text.includes(`/requests/${operation.requestId}`));
      }),
    );
    const startedMs = performance.now();
    for (const part of ['/requests', '/requests/', '/', '/status/stream', '/requests/a/b']) {
      parseQueuePath('GET', part.repeat(60_000 / part.length));
    }
    assert.ok(performance.now() - startedMs < 500);
  });

  it('as a query loses what is the platform’s, and nothing else', () => {
    fc.assert(
      fc.property(query, (text) => {
        for (const kept of [toAppQuery(text), withoutQueryToken(text)]) {
          assert.ok(kept === '' || kept.startsWith('?'));
          const left = kept.slice(1).split('&');
          assert.ok(!left.some((pair) => pair.startsWith('fal_jwt_token=')));
          const sent = text.slice(1).split('&');
          assert.ok(kept === '' || left.every((pair) => sent.includes(pair)));
        }
        const foreign = text
          .slice(1)
          .split('&')
          .filter((pair) => !/^fal_(jwt_token|webhook|max_queue_length)(=|$)/.test(pair));
        assert.equal(toAppQuery(text).slice(1), foreign.join('&'));
      }),
    );
  });

  it('as a credential is one, none, or malformed', () => {
    const authorization = fc.oneof(
      anything,
      fc.tuple(fc.constantFrom('Key', 'Bearer', 'key ', 'Basic'), anything).map((parts) => parts.join(' ')),
    );
    const protocols = fc.oneof(
      anything,
      fc.constantFrom('fal_jwt_token', 'fal_jwt_token, abc', 'fal_jwt_token.abc', ',,,'),
    );
    fc.assert(
      fc.property(fc.option(authorization), fc.option(protocols), query, (header, protocol, text) => {
        const headers: IncomingHttpHeaders = {};
        if (header !== null) headers.authorization = header;
        if (protocol !== null) headers['sec-websocket-protocol'] = protocol;
        const found = readCredential(headers, text);
        if (found.kind === 'key') assert.ok(found.keyId !== '' && found.keySecret !== '');
        if (found.kind === 'bearer') assert.ok(found.token !== '');
        if (found.kind === 'malformed') assert.ok(found.message.length < 200);
      }),
    );
  });

  it('as headers reaches a runner without what is reserved', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/),
      fc.constantFrom(
        'X-Fal-Request-Id',
        'x-fal-anything',
        'X-Fal-CDN-Token',
        'Authorization',
        'Connection',
        'cookie',
        'Host',
      ),
      fc.constantFrom('x-fal-object-lifecycle-preference', 'x-app-fal-upload-policy', '__proto__', 'constructor', 'TE'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.oneof(anything, fc.json())), { maxLength: 8 }), (pairs) => {
        const headers: IncomingHttpHeaders = Object.create(null) as IncomingHttpHeaders;
        for (const [key, value] of pairs) headers[key.toLowerCase()] ??= value;
        const request = {
          headers,
          rawHeaders: pairs.flat(),
          socket: { remoteAddress: '::1' },
        } as unknown as AnyRequest;
        const sent = toRunnerHeaders(request, {
          requestId: 'id',
          endpoint: 'acme/app/',
          callerUserId: null,
          origin: { mode: 'path', scheme: 'https', hosts: {} as never },
        });
        const names = sent.filter((_text, index) => index % 2 === 0).map((text) => text.toLowerCase());
        const valueOf = (key: string): string => sent[names.indexOf(key) * 2 + 1]!;
        assert.ok(
          !names.includes('authorization') && !names.includes('connection') && !names.includes('x-fal-anything'),
        );
        for (const own of ['x-fal-request-id', 'x-fal-endpoint', 'x-fal-object-lifecycle-preference']) {
          assert.equal(names.filter((each) => each === own).length, 1, own);
        }
        assert.equal(valueOf('x-fal-request-id'), 'id');
        const preference: unknown = JSON.parse(valueOf('x-fal-object-lifecycle-preference'));
        assert.ok(typeof preference === 'object' && preference !== null);
      }),
    );
  });

  it('as retry rules bounds the attempts', () => {
    const condition = fc.constantFrom('server_error', 'timeout', 'connection_error', 'CLIENT_ERROR', '__proto__');
    const config = fc.oneof(
      anything,
      fc.json(),
      fc
        .dictionary(
          condition,
          fc.oneof(fc.record({ retries: fc.oneof(fc.double(), fc.integer(), fc.string()) }), fc.integer()),
        )
        .map((value) => JSON.stringify(value)),
      fc.constantFrom('{"timeout":{"retries":1e309}}', '{"timeout":{"retries":-0}}', '[]', 'null', '{'.repeat(10_000)),
    );
    const end = fc.oneof(
      fc.record({ status: fc.integer({ min: 200, max: 599 }), needsRetry: fc.constantFrom(true, false, null) }),
      fc.record({ failure: fc.constantFrom('timeout', 'refused', 'disconnected', 'bad-answer', 'bad-request') }),
    ) as fc.Arbitrary<Parameters<typeof decideRetry>[0]['end']>;
    fc.assert(
      fc.property(fc.option(anything), config, config, end, fc.nat(12), (noRetry, sent, ofApp, ended, attempts) => {
        const policy = readRetryPolicy(noRetry ?? undefined, sent);
        for (const budget of Object.values(parseRetryConfig(sent) ?? {}))
          assert.ok(Number.isInteger(budget) && budget >= 0);
        const again = decideRetry({
          end: ended,
          attempts,
          spent: { timeout: attempts },
          request: policy,
          app: { retryConfig: ofApp, skipRetryConditions: [] },
        });
        if (attempts >= maxAttempts || (policy && 'none' in policy)) assert.equal(again, null);
        const delayMs = retryDelayMs(attempts, 0.5);
        assert.ok(delayMs >= 1_000 && delayMs <= 60_000);
      }),
    );
  });

  it('as an answer of an app keeps the platform’s own headers', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[a-z0-9-]{1,20}$/),
      fc.constantFrom(
        'x-fal-request-id',
        'x-fal-stop-runner',
        'x-fal-needs-retry',
        'connection',
        '__proto__',
        'x-fal-runner-hints',
      ),
    );
    const value = fc.oneof(anything, fc.array(anything, { maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.integer({ min: 200, max: 599 }), (pairs, status) => {
        const upstream = Object.fromEntries(pairs);
        const headers = toCallerHeaders(upstream, { status, requestId: 'id', runnerId: 'r', isCrossOrigin: true });
        assert.equal(headers['x-fal-request-id'], 'id');
        assert.ok(!('connection' in headers) && !('x-fal-stop-runner' in headers));
        assert.equal(Object.getPrototypeOf(headers), Object.prototype);
        const { hints } = readVerdict(upstream);
        assert.ok(hints === null || hints.every((hint) => hint !== '' && hint.trim() === hint));
      }),
    );
  });
});
