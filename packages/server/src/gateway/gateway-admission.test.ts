import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFixture, ownerKey, readOnlyKey, strangerKey } from './testing/gateway-fixture.ts';

type AuthMode = 'private' | 'public' | 'shared';

async function statusOf(authMode: AuthMode, authorization: string | null, path = '/alice/hello'): Promise<number> {
  await using fixture = await createFixture({ target: { authMode } });
  const response = await fetch(fixture.url + path, { headers: authorization === null ? {} : { authorization } });
  const body = await response.text();
  if (response.status !== 200) {
    assert.equal(typeof (JSON.parse(body) as { detail: unknown }).detail, 'string');
    assert.equal(fixture.dispatcher.requests.length, 0, 'a refused call must not take a slot');
  }
  assert.ok(response.headers.get('x-fal-request-id'));
  return response.status;
}

describe('admission', () => {
  it('lets only the owner call a private app', async () => {
    assert.equal(await statusOf('private', ownerKey), 200);
    assert.equal(await statusOf('private', null), 401);
    assert.equal(await statusOf('private', strangerKey), 404);
  });

  it('lets every account call a shared app, and nobody without one', async () => {
    assert.equal(await statusOf('shared', ownerKey), 200);
    assert.equal(await statusOf('shared', strangerKey), 200);
    assert.equal(await statusOf('shared', null), 401);
  });

  it('lets everybody call a public app, but refuses a key that is wrong', async () => {
    assert.equal(await statusOf('public', null), 200);
    assert.equal(await statusOf('public', strangerKey), 200);
    assert.equal(await statusOf('public', 'Key who:knows'), 401);
    assert.equal(await statusOf('public', 'Key nonsense'), 401);
  });

  it('refuses a key without the permission to run apps with 403', async () => {
    assert.equal(await statusOf('private', readOnlyKey), 403);
  });

  it('answers the same for a private app of somebody else and for none at all', async () => {
    await using fixture = await createFixture({ target: { authMode: 'private' } });
    const ask = async (path: string, headers: Record<string, string>): Promise<string> => {
      const response = await fetch(fixture.url + path, { headers });
      return `${response.status} ${(await response.text()).replaceAll('ghost', 'hello')}`;
    };
    for (const headers of [{}, { authorization: strangerKey }] as Record<string, string>[]) {
      assert.equal(await ask('/alice/ghost', headers), await ask('/alice/hello', headers));
    }
  });

  it('says what a malformed key should look like', async () => {
    await using fixture = await createFixture({ target: { authMode: 'private' } });
    const response = await fetch(`${fixture.url}/alice/hello`, { headers: { authorization: 'Key abc' } });
    assert.equal(response.status, 401);
    assert.deepEqual(await response.json(), {
      detail: "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
    });
  });

  it('takes the token of a browser from the query and keeps it from the app', async () => {
    await using fixture = await createFixture({
      target: { authMode: 'private' },
      app: (request, response) => response.end(request.url),
    });
    const response = await fetch(`${fixture.url}/alice/hello/stream?a=1&fal_jwt_token=owner&b=2`);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '/stream?a=1&b=2');
  });

  it('understands the legacy form of app ids', async () => {
    assert.equal(await statusOf('public', null, '/42-legacy/x'), 200);
    assert.equal(await statusOf('public', ownerKey, '/43-legacy'), 404);
  });
});

describe('the start deadline', () => {
  async function deadlineSeconds(
    header: string | null,
    authorization: string,
    ownDefault: number | null,
  ): Promise<number | null> {
    await using fixture = await createFixture({ target: { requestStartTimeoutSeconds: ownDefault } });
    const before = performance.now();
    const response = await fetch(`${fixture.url}/alice/hello`, {
      headers: { authorization, ...(header === null ? {} : { 'x-fal-request-timeout': header }) },
    });
    if (response.status !== 200) {
      assert.equal(response.headers.get('x-fal-error-type'), 'bad_request');
      return response.status;
    }
    const deadline = fixture.dispatcher.requests[0]!.startDeadlineMs;
    return deadline === null ? null : Math.round((deadline - before) / 1000);
  }

  it('is what the caller says', async () => {
    assert.equal(await deadlineSeconds('5.0', strangerKey, null), 5);
    assert.equal(await deadlineSeconds('7', ownerKey, 90), 7);
  });

  it('is the default of the app for its owner only', async () => {
    assert.equal(await deadlineSeconds(null, ownerKey, 90), 90);
    assert.equal(await deadlineSeconds(null, strangerKey, 90), null);
    assert.equal(await deadlineSeconds(null, ownerKey, null), null);
  });

  it('refuses what is not a number above zero', async () => {
    for (const header of ['0', '-1', 'soon', '1e3', 'inf', ''])
      assert.equal(await deadlineSeconds(header, ownerKey, null), 400);
  });
});
