import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRequestId, parseQueuePath, toAppQuery } from './parse-queue-path.ts';

const id = '8a8f6e0e-8f53-4ac0-9f5c-2f5f6f9b7a11';

describe('paths of the queue', () => {
  it('reads every form of an operation: sub-paths, /response, trailing slashes', () => {
    for (const prefix of ['', '/sub', '/sub/deeper']) {
      for (const slash of ['', '/']) {
        const at = (suffix: string, method = 'GET') =>
          parseQueuePath(method, `${prefix}/requests/${id}${suffix}${slash}`);
        assert.deepEqual(at(''), { kind: 'result', requestId: id });
        assert.deepEqual(at('/response'), { kind: 'result', requestId: id });
        assert.deepEqual(at('/status'), { kind: 'status', requestId: id });
        assert.deepEqual(at('/status/stream'), { kind: 'status-stream', requestId: id });
        assert.deepEqual(at('/cancel', 'PUT'), { kind: 'cancel', requestId: id });
        assert.deepEqual(at('', 'HEAD'), { kind: 'result', requestId: id });
        assert.deepEqual(at('/status', 'HEAD'), { kind: 'status', requestId: id });
        assert.deepEqual(at('/status/stream', 'HEAD'), { kind: 'status', requestId: id });
      }
    }
  });

  it('takes what cannot be an id for one that does not exist, never for a submit', () => {
    for (const odd of ['x'.repeat(200), '%ff', 'a b', 'ä']) {
      assert.equal(parseQueuePath('GET', `/requests/${odd}/status`).kind, 'status');
      assert.equal(isRequestId(odd), false);
    }
    assert.ok(isRequestId(id));
  });

  it('takes everything else for a submit', () => {
    for (const [method, path] of [
      ['POST', '/'],
      ['GET', '/'],
      ['POST', `/requests/${id}`],
      ['GET', '/requests'],
      ['GET', `/requests/${id}/else`],
      ['GET', `/requests/${id}/cancel`],
    ])
      assert.deepEqual(parseQueuePath(method!, path!), { kind: 'submit' }, `${method} ${path}`);
  });

  it('keeps its own parameters from the app', () => {
    assert.equal(toAppQuery('?a=1&fal_max_queue_length=3&b=%20&fal_jwt_token=t'), '?a=1&b=%20');
    assert.equal(toAppQuery('?fal_max_queue_length=3'), '');
    assert.equal(toAppQuery(''), '');
  });
});
