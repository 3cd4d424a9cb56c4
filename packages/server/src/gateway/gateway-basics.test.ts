import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFixture, ownerKey, readText } from './testing/gateway-fixture.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a call through the gateway', () => {
  it('reaches the app with path, query, method and body, and brings status, headers and body back', async () => {
    await using fixture = await createFixture({
      app: async (request, response) => {
        const body = await readText(request);
        response.writeHead(201, 'Made', { 'x-own': 'yes', 'content-type': 'application/json' });
        response.end(JSON.stringify({ method: request.method, url: request.url, body, headers: request.headers }));
      },
    });
    const response = await fetch(`${fixture.url}/alice/hello/sub/path?a=1&b=%20x&a=2`, {
      method: 'PUT',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json', 'x-custom': 'kept' },
    });
    assert.equal(response.status, 201);
    assert.equal(response.statusText, 'Made');
    assert.equal(response.headers.get('x-own'), 'yes');
    assert.match(response.headers.get('x-fal-request-id')!, uuid);
    assert.equal(response.headers.get('x-fal-served-from'), `runner-${fixture.appPort}`);
    const seen = (await response.json()) as { method: string; url: string; body: string; headers: Record<string, string> };
    assert.equal(seen.method, 'PUT');
    assert.equal(seen.url, '/sub/path?a=1&b=%20x&a=2');
    assert.equal(seen.body, '{"n":1}');
    assert.equal(seen.headers['x-custom'], 'kept');
    assert.equal(seen.headers['x-fal-request-id'], response.headers.get('x-fal-request-id'));
    assert.equal(seen.headers['x-fal-endpoint'], 'alice/hello/sub/path');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });
});
