import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

describe('the token routes', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
  });
  after(() => server.stop());

  const post = (path: string, body: unknown, key?: string | null): Promise<Response> =>
    server.fetch(path, { method: 'POST', body: JSON.stringify(body), ...(key === undefined ? {} : { key }) });
  const appsOf = async (token: string): Promise<readonly string[] | undefined> =>
    (await server.store.appTokens.verify(token)).allowedApps;

  it('answer the official clients with a JSON string', async () => {
    for (const path of ['/tokens/', '/tokens']) {
      const response = await post(path, { allowed_apps: ['my-app'], token_expiration: 120 });
      assert.equal(response.status, 201);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const token = (await response.json()) as string;
      assert.equal(typeof token, 'string');
      assert.deepEqual(await appsOf(token), ['my-app']);
    }
  });

  it('answer the documented realtime form with an object, and take every shape at both paths', async () => {
    const response = await post('/tokens/realtime', { allowed_apps: ['alice/my-app/realtime'], duration: 60 });
    assert.equal(response.status, 201);
    const { token, expires_at: expiresAt } = (await response.json()) as { token: string; expires_at: string };
    assert.deepEqual(await appsOf(token), ['alice/my-app/realtime']);
    assert.match(expiresAt, /\+00:00$/);
    const leftSeconds = (Date.parse(expiresAt) - performance.timeOrigin - performance.now()) / 1000;
    assert.ok(leftSeconds > 50 && leftSeconds <= 61, `${leftSeconds}`);
    const single = await post('/tokens/', { app: 'alice/my-app', duration: 10 });
    assert.deepEqual(await appsOf((await single.json()) as string), ['alice/my-app']);
    const other = await post('/tokens/realtime', { app: 'x', token_expiration: 10 });
    assert.deepEqual(await appsOf(((await other.json()) as { token: string }).token), ['x']);
  });

  it('refuse what makes no token, and keys that may not make any', async () => {
    assert.equal((await post('/tokens/', {})).status, 422);
    assert.equal((await post('/tokens/', { allowed_apps: ['x'], token_expiration: 0 })).status, 422);
    assert.equal((await post('/tokens/', { allowed_apps: ['x'], token_expiration: 1e9 })).status, 422);
    assert.equal((await post('/tokens/', { allowed_apps: 'x' })).status, 422);
    assert.equal((await post('/tokens/', { allowed_apps: ['x'] }, null)).status, 401);
    const reader = await server.newKey({ preset: 'READONLY' });
    assert.equal((await post('/tokens/', { allowed_apps: ['x'] }, reader)).status, 403);
  });

  it('take no token as credentials, and write none into the log', async () => {
    const token = (await (await post('/tokens/', { allowed_apps: ['my-app'] })).json()) as string;
    const refused = await server.fetch('/users/current', { key: null, headers: { authorization: `Bearer ${token}` } });
    assert.equal(refused.status, 401);
    const queried = await server.fetch(`/users/current?fal_jwt_token=${token}`, { key: null });
    assert.equal(queried.status, 401);
    assert.ok(server.logged.length > 0);
    assert.ok(!JSON.stringify(server.logged).includes(token));
  });
});
