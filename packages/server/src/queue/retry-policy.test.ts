import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideRetry, maxAttempts, parseRetryConfig, readRetryPolicy, retryDelayMs } from './retry-policy.ts';

const noRules = { retryConfig: null, skipRetryConditions: [] };
const decide = (more: Partial<Parameters<typeof decideRetry>[0]>): ReturnType<typeof decideRetry> =>
  decideRetry({
    end: { status: 503, needsRetry: null },
    attempts: 1,
    spent: {},
    request: undefined,
    app: noRules,
    ...more,
  });

describe('retry rules of queued requests', () => {
  it('repeats 503, 504, timeouts and lost runners by default, and nothing else', () => {
    for (const status of [503, 504])
      assert.deepEqual(decide({ end: { status, needsRetry: null } }), { condition: 'server_error' });
    for (const status of [200, 302, 404, 422, 429, 499, 500, 502])
      assert.equal(decide({ end: { status, needsRetry: null } }), null, String(status));
    assert.deepEqual(decide({ end: { failure: 'timeout' } }), { condition: 'timeout' });
    assert.deepEqual(decide({ end: { failure: 'disconnected' } }), { condition: 'server_error' });
    assert.deepEqual(decide({ end: { failure: 'bad-answer' } }), { condition: 'server_error' });
    assert.deepEqual(decide({ end: { failure: 'refused' } }), { condition: 'connection_error' });
    assert.equal(decide({ end: { failure: 'bad-request' } }), null);
  });

  it('never makes more than ten attempts, whatever is asked', () => {
    assert.ok(decide({ attempts: maxAttempts - 1, request: { budgets: { server_error: 99 } } }));
    assert.equal(decide({ attempts: maxAttempts, request: { budgets: { server_error: 99 } } }), null);
    assert.equal(decide({ attempts: maxAttempts, end: { status: 503, needsRetry: true } }), null);
  });

  it('ranks no-retry, the response, the request, the app, the skip list', () => {
    const app = { retryConfig: '{"server_error": {"retries": 2}}', skipRetryConditions: ['server_error', 'timeout'] };
    assert.equal(decide({ request: { none: true }, end: { status: 503, needsRetry: true } }), null);
    assert.deepEqual(decide({ end: { status: 500, needsRetry: true }, request: { budgets: { server_error: 0 } } }), {
      condition: null,
    });
    assert.equal(decide({ end: { status: 503, needsRetry: false }, request: { budgets: { server_error: 5 } } }), null);
    assert.equal(decide({ end: { status: 422, needsRetry: true } }), null, 'only on 5xx and 429');
    assert.deepEqual(decide({ end: { status: 429, needsRetry: true } }), { condition: null });
    assert.equal(decide({ request: { budgets: { server_error: 1 } }, spent: { server_error: 1 }, app }), null);
    assert.ok(decide({ app, spent: { server_error: 1 } }));
    assert.equal(decide({ app, spent: { server_error: 2 } }), null);
    assert.equal(decide({ app, end: { failure: 'timeout' } }), null, 'on the skip list, and not in the config');
    assert.ok(decide({ app, end: { failure: 'refused' } }));
  });

  it('has a budget of its own for each condition', () => {
    const request = { budgets: { server_error: 1, timeout: 1 } };
    assert.ok(decide({ request, spent: { server_error: 1 }, end: { failure: 'timeout' } }));
  });

  it('ignores what cannot be read', () => {
    for (const text of [
      '',
      'no',
      '[]',
      'null',
      '3',
      '{"server_error": 3}',
      '{"other": {"retries": 3}}',
      '{"timeout": {"retries": "3"}}',
    ])
      assert.equal(parseRetryConfig(text), null, text);
    assert.deepEqual(parseRetryConfig('{"timeout": {"retries": -4}}'), { timeout: 0 });
    assert.deepEqual(readRetryPolicy(' Yes ', '{"timeout": {"retries": 1}}'), { none: true });
    assert.equal(readRetryPolicy('0', undefined), undefined);
  });

  it('waits longer and longer, up to a minute, with some chance', () => {
    assert.deepEqual(
      [1, 2, 3, 7, 9].map((attempts) => retryDelayMs(attempts, 0.5)),
      [1000, 2000, 4000, 60_000, 60_000],
    );
    assert.deepEqual([retryDelayMs(1, 0), retryDelayMs(1, 1)], [800, 1200]);
  });
});
