import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startFileServer, type FileServer } from './testing/file-server.ts';

describe('the key-value host', () => {
  let server: FileServer;
  before(async () => (server = await startFileServer()));
  after(() => server.stop());

  const call = async (
    method: string,
    path: string,
    body?: string | Uint8Array,
    authorization: string | null = `Bearer ${server.files.storage.createToken(server.origin, server.alice).token}`,
  ): Promise<[number, unknown]> => {
    const response = await server.fetch(`${server.kv}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      ...(authorization === null ? {} : { headers: { authorization } }),
    });
    return [response.status, await response.json()];
  };

  it('keeps a text under a key with slashes, until it is deleted', async () => {
    assert.equal((await call('GET', '/get/db/a/b'))[0], 404);
    assert.deepEqual(await call('PUT', '/set/db/a/b', 'é\n "text"'), [200, {}]);
    assert.deepEqual(await call('GET', '/get/db/a/b'), [200, { value: 'é\n "text"' }]);
    assert.equal((await call('GET', '/get/other/a/b'))[0], 404);
    await call('PUT', '/set/db/a/b', 'newer');
    assert.deepEqual(await call('GET', '/get/db/a%2Fb'), [200, { value: 'newer' }]);
    assert.deepEqual(await call('DELETE', '/delete/db/a/b'), [200, {}]);
    assert.deepEqual(await call('DELETE', '/delete/db/a/b'), [200, {}]);
    assert.equal((await call('GET', '/get/db/a/b'))[0], 404);
  });

  it('forgets after the time given, by default after 30 days', async () => {
    await call('PUT', '/set/db/short?ttl=60', 'x');
    await call('PUT', '/set/db/long', 'x');
    await server.clock.advance(60_000);
    assert.equal((await call('GET', '/get/db/short'))[0], 404);
    assert.equal((await call('GET', '/get/db/long'))[0], 200);
    await server.clock.advance(30 * 86_400_000);
    assert.equal((await call('GET', '/get/db/long'))[0], 404);
    await server.sweep();
  });

  it('keeps accounts apart, and answers strangers with 401', async () => {
    await call('PUT', '/set/db/mine', 'alice');
    assert.equal((await call('GET', '/get/db/mine', undefined, server.bob.key))[0], 404);
    assert.deepEqual(await call('GET', '/get/db/mine', undefined, server.alice.key), [200, { value: 'alice' }]);
    const [status, body] = await call('GET', '/get/db/mine', undefined, null);
    assert.equal(status, 401);
    assert.match((body as { error: string }).error, /Authentication is required/);
    const reader = await server.addKey(server.alice, { permissions: ['storage:files:read'] });
    assert.equal((await call('PUT', '/set/db/mine', 'x', reader))[0], 403);
  });

  it('says what is wrong as `error`', async () => {
    for (const [method, path, body, status] of [
      ['PUT', '/set/db/k?ttl=59', 'x', 422],
      ['PUT', '/set/db/k?ttl=2592001', 'x', 422],
      ['PUT', '/set/db/k?ttl=1e3', 'x', 422],
      ['PUT', '/set/db/k', 'x'.repeat(1_900_001), 413],
      ['PUT', '/set/db/k', new Uint8Array([0xff]), 422],
      ['PUT', `/set/db/${'k'.repeat(1025)}`, 'x', 422],
      ['POST', '/set/db/k', 'x', 405],
      ['GET', '/get/db', undefined, 404],
      ['GET', '/else/db/k', undefined, 404],
    ] as const) {
      const [answered, problem] = await call(method, path, body);
      assert.equal(answered, status, path.slice(0, 40));
      assert.equal(typeof (problem as { error: unknown }).error, 'string');
    }
    assert.deepEqual(await call('PUT', '/set/db/100%25 sure', 'x'), [200, {}]);
    assert.deepEqual(await call('PUT', '/set/db/100%', 'x'), [200, {}]);
  });
});
