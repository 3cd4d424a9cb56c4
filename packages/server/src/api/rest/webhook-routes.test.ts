import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

const url = 'https://hook.example/?token=secret';

describe('REST: webhooks, metrics and payloads', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  /** A request of the account that ended with a webhook. */
  const ended = async (callerAccountId: string | null = server.account.accountId): Promise<string> => {
    const requestId = randomUUID();
    const { requests } = server.store;
    const number = await requests.add({
      ...{ requestId, accountId: server.account.accountId, appId: 'alice/app', targetId: 't', callerAccountId },
      ...{ priority: 'normal', startDeadlineMs: null, options: { webhook: url }, submittedAtMs: 1 },
      input: { method: 'POST', path: '/', headers: [], body: { bytes: Buffer.from('{}'), blob: null, sizeBytes: 2 } },
    });
    await requests.finishWaiting(number, {
      ...{ status: 200, headers: {}, error: null, errorType: null, inferenceMs: 1, endedAtMs: 1_700_000_000_000 },
      body: { bytes: Buffer.from('1'), blob: null, sizeBytes: 1 },
    });
    return requestId;
  };
  const json = async (path: string, init?: Parameters<ApiServer['fetch']>[1]) => {
    const response = await server.fetch(path, init);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const bob = async (): Promise<string> => {
    const nickname = `bob${randomUUID().slice(0, 8)}`;
    return server.newKey(
      { preset: 'FULL' },
      await server.store.accounts.create({ nickname, fullName: nickname, isPersonal: true }),
    );
  };

  it('shows the key set to everybody, public halves only, to be kept for less than a day', async () => {
    const response = await server.fetch('/.well-known/jwks.json', { key: null });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('cache-control')!, /max-age=3600/);
    const { keys } = (await response.json()) as { keys: Record<string, string>[] };
    assert.equal(keys.length, 1);
    const { kty, crv, x, d } = keys[0]!;
    assert.deepEqual([kty, crv, Buffer.from(x!, 'base64url').length, d], ['OKP', 'Ed25519', 32, undefined]);
  });

  it('lists deliveries of the account by page and status, and each with its attempts', async () => {
    const ids = [await ended(), await ended(), await ended()];
    await ended('somebody else');
    const page = await json('/webhooks/deliveries?limit=2');
    const items = page.body['items'] as Record<string, unknown>[];
    assert.deepEqual([items.map((item) => item['request_id']), page.body['has_more']], [[ids[2], ids[1]], true]);
    assert.deepEqual(items[0], {
      request_id: ids[2],
      gateway_request_id: ids[2],
      app_id: 'alice/app',
      url,
      status: 'PENDING',
      attempts: 0,
      created_at: '2023-11-14T22:13:20.000000+00:00',
      next_attempt_at: '2023-11-14T22:13:20.000000+00:00',
      ended_at: null,
    });
    const rest = await json(`/webhooks/deliveries?limit=2&cursor=${String(page.body['next_cursor'])}`);
    assert.deepEqual(
      [(rest.body['items'] as { request_id: string }[]).map(({ request_id: id }) => id), rest.body['next_cursor']],
      [[ids[0]], null],
    );
    const delivery = (await server.store.deliveries.find(server.account.accountId, ids[0]!))!;
    const attempt = { startedAtMs: 1_700_000_000_000, durationMs: 1500, status: 302, error: 'redirect' };
    await server.store.deliveries.recordAttempt(delivery.number, attempt, { state: 'failed' });
    const one = await json(`/webhooks/deliveries/${ids[0]}`);
    assert.equal(one.body['status'], 'FAILED');
    assert.deepEqual(one.body['deliveries'], [
      {
        attempt: 1,
        started_at: '2023-11-14T22:13:20.000000+00:00',
        duration: 1.5,
        status_code: 302,
        error: 'redirect',
      },
    ]);
    assert.equal(((await json('/webhooks/deliveries?status=FAILED')).body['items'] as unknown[]).length, 1);
    assert.equal((await json('/webhooks/deliveries?status=LOST')).status, 422);
    assert.equal((await json('/webhooks/deliveries?limit=0')).status, 422);
  });

  it('replays what has ended, leaves alone what is on its way, and shows others nothing', async () => {
    const id = await ended();
    const stranger = await bob();
    const replay = (key?: string) =>
      json(`/webhooks/deliveries/${id}/replay`, { method: 'POST', ...(key ? { key } : {}) });
    const before = server.dueWebhooks.length;
    assert.deepEqual([(await replay()).status, server.dueWebhooks.length], [202, before]);
    const { number } = (await server.store.deliveries.find(server.account.accountId, id))!;
    const attempt = { startedAtMs: 1, durationMs: 1, status: 500, error: 'status' };
    await server.store.deliveries.recordAttempt(number, attempt, { state: 'failed' });
    assert.equal((await replay(stranger)).status, 404);
    assert.equal((await json(`/webhooks/deliveries/${id}`, { key: stranger })).status, 404);
    assert.deepEqual((await json('/webhooks/deliveries', { key: stranger })).body['items'], []);
    const replayed = await replay();
    assert.deepEqual([replayed.status, replayed.body['status'], server.dueWebhooks.at(-1)], [202, 'PENDING', url]);
    assert.equal((await json('/webhooks/deliveries', { key: null })).status, 401);
  });

  it('rotates keys for the operator alone', async () => {
    const stranger = await bob();
    for (const [method, path] of [
      ['GET', '/webhooks/keys'],
      ['POST', '/webhooks/keys/rotate'],
    ] as const) {
      assert.equal((await json(path, { method, key: stranger })).status, 403);
    }
    const reader = await server.newKey({ preset: 'READONLY' });
    assert.equal((await json('/webhooks/keys/rotate', { method: 'POST', key: reader })).status, 403);
    const next = await json('/webhooks/keys/rotate', { method: 'POST' });
    assert.deepEqual([next.status, typeof next.body['kid']], [200, 'string']);
    assert.equal((await json('/webhooks/keys/rotate', { method: 'POST' })).status, 409);
    assert.equal(((await json('/webhooks/keys')).body['keys'] as unknown[]).length, 2);
    const now = await json('/webhooks/keys/rotate?immediately=true', { method: 'POST' });
    assert.deepEqual(
      ((await json('/.well-known/jwks.json')).body['keys'] as { kid: string }[]).map(({ kid }) => kid),
      [now.body['kid']],
    );
  });

  it('shows metrics to the operator, with a key that may read them', async () => {
    const response = await server.fetch('/metrics');
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(await response.text(), '# metrics\n');
    const refused = [null, await bob(), await server.newKey({ preset: 'API' })];
    for (const key of refused) assert.equal((await json('/metrics', { key })).status, key === null ? 401 : 403);
    assert.equal((await server.fetch('/metrics', { key: await server.newKey({ preset: 'READONLY' }) })).status, 200);
  });

  it('deletes the payloads of a request, for who made it, under both paths of the reference', async () => {
    const id = await ended();
    const path = `/v1/models/requests/${id}/payloads`;
    assert.equal((await json(path, { method: 'DELETE', key: await bob() })).status, 404);
    assert.equal((await server.store.requests.findEnded(id))!.payloads, 'kept');
    assert.deepEqual(await json(path, { method: 'DELETE' }), { status: 200, body: { cdn_delete_results: [] } });
    assert.deepEqual((await json(path.slice(3), { method: 'DELETE' })).status, 200);
    assert.equal((await server.store.requests.findEnded(id))!.payloads, 'deleted');
    const missing = await json(`/models/requests/${randomUUID()}/payloads`, { method: 'DELETE' });
    assert.deepEqual([missing.status, Object.keys(missing.body)], [404, ['detail']]);
    const platform = await json(`/v1/models/requests/${randomUUID()}/payloads`, { method: 'DELETE' });
    assert.equal((platform.body['error'] as { type: string }).type, 'not_found', 'the envelope of the Platform API');
    const unauthorised = await json(path, { method: 'DELETE', key: null });
    assert.equal((unauthorised.body['error'] as { type: string }).type, 'authorization_error');
  });
});
