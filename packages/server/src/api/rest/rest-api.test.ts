import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { answerOf, refusal } from '../testing/rest-answers.ts';

describe('REST: callers and routes', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('describes the account of a key', async () => {
    assert.deepEqual(await answerOf(await server.fetch('/users/current')), {
      status: 200,
      body: {
        full_name: 'Alice',
        nickname: 'alice',
        user_id: server.account.accountId,
        is_personal: true,
        is_locked: false,
        lock_reason: null,
        members: [],
        is_paying: true,
      },
    });
  });

  it('lists teams as a bare array with a personal entry', async () => {
    const { body } = await answerOf(await server.fetch('/users/teams'));
    assert.ok(Array.isArray(body));
    assert.equal((body as { is_personal: boolean }[])[0]?.is_personal, true);
  });

  it('refuses missing, malformed and unknown credentials', async () => {
    await refusal(await server.fetch('/users/current', { key: null }), 401, /Authentication is required/);
    await refusal(
      await server.fetch('/users/current', { key: null, headers: { authorization: 'Key nonsense' } }),
      401,
      /^Invalid Key Authorization header format/,
    );
    await refusal(
      await server.fetch('/users/current', { key: 'nobody:x' }),
      401,
      /^No user found for Key ID and Secret$/,
    );
  });

  it('may be called by any page: a preflight needs no key, and what a page has to read is exposed', async () => {
    const headers = {
      origin: 'https://page.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    };
    const preflight = await server.fetch('/users/current', { key: null, method: 'OPTIONS', headers });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization');
    for (const key of [undefined, null]) {
      const answer = await server.fetch('/users/current', {
        headers: { origin: 'https://page.example' },
        ...(key === null ? { key } : {}),
      });
      assert.equal(answer.headers.get('access-control-allow-origin'), '*');
      assert.match(answer.headers.get('access-control-expose-headers') ?? '', /x-fal-request-id/);
      assert.equal(answer.status, key === null ? 401 : 200);
    }
  });

  it('says "Insufficient permissions" with 403', async () => {
    const key = await server.newKey({ preset: 'API' });
    await refusal(await server.fetch('/users/current', { key }), 403, /^Insufficient permissions/);
    await refusal(
      await server.fetch('/files/missing_hashes', { key, method: 'POST', body: '{}' }),
      403,
      /^Insufficient/,
    );
    await refusal(await server.fetch('/runners/x', { key }), 403, /^Insufficient/);
  });

  it('answers unknown routes with 404 as JSON, with and without a key', async () => {
    await refusal(await server.fetch('/nope'), 404, /\/nope was not found/);
    await refusal(await server.fetch('/nope', { key: null, method: 'POST', body: 'x' }), 404, /\/nope/);
  });

  it('answers another method of a known route with 405 and what is allowed', async () => {
    const response = await server.fetch('/users/current', { method: 'DELETE' });
    assert.equal(response.headers.get('allow'), 'GET');
    await refusal(response, 405, /has no method DELETE/);
  });

  it('tells load balancers whether it serves, without a key', async () => {
    assert.deepEqual(await answerOf(await server.fetch('/health', { key: null })), {
      status: 200,
      body: { status: 'ok' },
    });
    server.setServing(false);
    assert.equal((await answerOf(await server.fetch('/health', { key: null }))).status, 503);
    server.setServing(true);
  });

  it('answers a defect of ours with an id that is in the log', async () => {
    const { listRunners } = server.fleet;
    server.fleet.listRunners = () => {
      throw new TypeError('a defect');
    };
    const { status, body } = await answerOf(await server.fetch('/applications/metrics'));
    server.fleet.listRunners = listRunners;
    assert.equal(status, 500);
    const { detail } = body as { detail: string };
    assert.doesNotMatch(detail, /a defect/);
    const errorId = /error ([0-9a-f-]{36})/.exec(detail)?.[1];
    assert.ok(server.logged.some((line) => JSON.stringify(line.fields).includes(errorId!)));
  });
});

describe('REST over HTTP/2', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const send = async (method: string, path: string, headers: Record<string, string>, body?: Buffer) => {
    const session = connect(`http://${server.authority}`);
    try {
      const stream = session.request({
        ':method': method,
        ':path': path,
        authorization: `Key ${server.key}`,
        ...headers,
      });
      stream.end(body);
      const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return { status: fields[':status'], body: JSON.parse(text) as Record<string, unknown> };
    } finally {
      session.destroy();
    }
  };

  it('answers, refuses, and takes parts of files', async () => {
    const current = await send('GET', '/users/current?x=1', {});
    assert.equal(current.body['nickname'], 'alice');
    assert.equal((await send('GET', '/nope', {})).status, 404);
    const hash = createHash('sha256').update('part33188').digest('hex');
    const json = { 'content-type': 'application/json' };
    const metadata = JSON.stringify({ size: '4', mode: '33188', mtime: '1', hash });
    const begun = await send('POST', `/files/app/multipart/${hash}/initiate`, json, Buffer.from(metadata));
    const form = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\npart\r\n--b--\r\n';
    const put = await send(
      'PUT',
      `/files/app/multipart/${hash}/${String(begun.body['upload_id'])}/1`,
      { 'content-type': 'multipart/form-data; boundary=b' },
      Buffer.from(form),
    );
    assert.deepEqual(
      [begun, put].map((a) => a.status),
      [200, 200],
      JSON.stringify([begun, put]),
    );
    assert.equal(put.body['part_number'], 1);
  });
});
