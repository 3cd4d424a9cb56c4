import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionFailure, wasNeverSent } from './connection-failure.ts';

const withCode = (code: string): Error => Object.assign(new Error('x'), { code });

test('every kind of failed connection has a code and an advice', () => {
  const cases: [string, string][] = [
    ['ENOTFOUND', 'host_not_found'],
    ['EAI_AGAIN', 'host_not_found'],
    ['ECONNREFUSED', 'connection_refused'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'certificate_not_trusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificate_not_trusted'],
    ['CERT_HAS_EXPIRED', 'certificate_not_trusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate_not_trusted'],
    ['EHOSTUNREACH', 'server_unavailable'],
    ['ETIMEDOUT', 'timed_out'],
    ['ECONNRESET', 'connection_lost'],
    ['ERR_HTTP2_STREAM_ERROR', 'connection_lost'],
  ];
  for (const [system, code] of cases) {
    const failure = connectionFailure(withCode(system), 'localhost:1');
    assert.equal(failure?.code, code, system);
    assert.match(failure.message, /localhost:1/);
    assert.ok(failure.advice);
  }
});

test('the reason is found below causes and aggregates, and unknown ones are left alone', () => {
  const nested = new Error('outer', { cause: new AggregateError([withCode('ECONNREFUSED')]) });
  assert.equal(connectionFailure(nested, 'x')?.code, 'connection_refused');
  assert.equal(connectionFailure(withCode('EACCES'), 'x'), undefined);
  assert.equal(connectionFailure('text', 'x'), undefined);
  const circular = new Error('a');
  circular.cause = circular;
  assert.equal(connectionFailure(circular, 'x'), undefined);
});

test('only what never left this machine counts as never sent', () => {
  assert.equal(wasNeverSent(connectionFailure(withCode('ECONNREFUSED'), 'x')), true);
  assert.equal(wasNeverSent(connectionFailure(withCode('ECONNRESET'), 'x')), false);
  assert.equal(wasNeverSent(new Error('x')), false);
});
