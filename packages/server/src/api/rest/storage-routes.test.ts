import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

describe('REST: storage', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const send = async (
    method: string,
    path: string,
    body?: unknown,
    options: { key?: string | null; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await server.fetch(path, {
      method,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...options,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const initiate = async (key?: string): Promise<{ fileUrl: string; uploadUrl: string }> => {
    const { status, body } = await send(
      'POST',
      '/storage/upload/initiate?storage_type=gcs',
      { file_name: 'a.txt', content_type: 'text/plain' },
      key === undefined ? {} : { key },
    );
    assert.equal(status, 200);
    return { fileUrl: String(body['file_url']), uploadUrl: String(body['upload_url']) };
  };
  const aBob = async (nickname: string): Promise<string> =>
    server.newKey(
      { preset: 'FULL' },
      await server.store.accounts.create({ nickname, fullName: nickname, isPersonal: true }),
    );

  it('gives tokens whose end Python can read, and whose life is long enough for the toolkit', async () => {
    for (const body of ['{}', undefined, { expiration_seconds: 7200 }]) {
      const { status, body: token } = await send('POST', '/storage/auth/token?storage_type=fal-cdn-v3', body);
      assert.equal(status, 200);
      assert.deepEqual([token['token_type'], token['base_url']], ['Bearer', `http://${server.authority}/cdn`]);
      assert.match(String(token['expires_at']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
      assert.ok(Date.parse(String(token['expires_at'])) > Date.now() + 3_600_000);
    }
    assert.equal((await send('POST', '/storage/auth/token', { expiration_seconds: -1 })).status, 422);
    assert.equal((await send('POST', '/storage/auth/token', '{}', { key: null })).status, 401);
  });

  it('says where to upload to, and what the URL will be, for every storage type', async () => {
    for (const route of ['initiate', 'initiate-multipart']) {
      for (const type of ['gcs', 'fal-cdn-v3', 'fal-cdn']) {
        const { status, body } = await send('POST', `/storage/upload/${route}?storage_type=${type}`, {
          file_name: 'ü 1.png',
          content_type: null,
        });
        assert.equal(status, 200, type);
        assert.match(String(body['file_url']), /\/cdn\/files\/b\/[\w-]{22}\/%C3%BC%201\.png$/);
        assert.equal(new URL(String(body['upload_url'])).search, '', 'one client appends to the whole URL');
      }
    }
    assert.equal((await send('POST', '/storage/upload/initiate?storage_type=else', {})).status, 422);
    assert.equal((await send('POST', '/storage/upload/initiate', 'nope')).status, 400);
    const bad = { headers: { 'x-fal-object-lifecycle': 'nope' } };
    assert.equal((await send('POST', '/storage/upload/initiate', {}, bad)).status, 422);
    const { fileUrl, uploadUrl } = await initiate();
    assert.equal((await fetch(uploadUrl, { method: 'PUT', body: 'bytes' })).status, 200);
    assert.equal(await (await fetch(fileUrl)).text(), 'bytes');
  });

  it('stores nothing of an upload that breaks off over HTTP/2, and all of one that ends', async () => {
    const { fileUrl, uploadUrl } = await initiate();
    const begin = (session: ClientHttp2Session, headers = {}): ClientHttp2Stream => {
      const stream = session.request({ ':method': 'PUT', ':path': new URL(uploadUrl).pathname, ...headers });
      stream.on('error', () => undefined);
      return stream;
    };
    // One whose connection is lost, and one that promised more than it sent: Node's client ends a stream that it cancels.
    const lost = connect(`http://${server.authority}`);
    lost.on('error', () => undefined);
    const broken = begin(lost);
    await new Promise((resolve) => broken.write('half', resolve));
    await new Promise((resolve) => lost.ping(resolve));
    lost.destroy();
    const session = connect(`http://${server.authority}`);
    try {
      const cancelled = begin(session, { 'content-length': 100 });
      await new Promise((resolve) => cancelled.write('half', resolve));
      cancelled.close(constants.NGHTTP2_CANCEL);
      await once(cancelled, 'close');
      const whole = begin(session);
      whole.end('the whole');
      const [headers] = (await once(whole, 'response')) as [IncomingHttpHeaders];
      assert.equal(headers[':status'], 200);
      whole.resume();
      await once(whole, 'end');
      assert.equal(await (await fetch(fileUrl)).text(), 'the whole');
    } finally {
      session.destroy();
    }
  });

  it('reads and changes who may read a file, for its account alone', async () => {
    const { fileUrl, uploadUrl } = await initiate();
    await fetch(uploadUrl, { method: 'PUT', body: 'x' });
    const acl = `/storage/files/acl?url=${encodeURIComponent(fileUrl)}`;
    assert.deepEqual((await send('GET', acl)).body, { default: 'allow', rules: [] });
    const hidden = { default: 'hide', rules: [{ user: 'alice', decision: 'allow' }] };
    assert.deepEqual(await send('PUT', acl, hidden), { status: 200, body: hidden });
    assert.equal((await fetch(fileUrl)).status, 404);
    assert.equal((await send('PUT', acl, { default: 'maybe' })).status, 422);
    const foreign = await aBob('bob');
    for (const [method, body] of [['GET'], ['PUT', { default: 'allow' }]] as const) {
      assert.equal((await send(method, acl, body, { key: foreign })).status, 404);
    }
    assert.equal((await send('GET', '/storage/files/acl?url=https://elsewhere/x')).status, 404);
    assert.equal((await send('GET', '/storage/files/acl')).status, 422);
    const caller = await server.newKey({ preset: 'API' });
    assert.equal(
      (await send('PUT', acl, { default: 'allow' }, { key: caller })).status,
      403,
      'needs another permission',
    );

    const sign = `/storage/files/sign?url=${encodeURIComponent(fileUrl)}`;
    const signed = await send('POST', sign, { expiration_seconds: 60 });
    assert.equal(await (await fetch(String(signed.body['signed_url']))).text(), 'x');
    assert.equal((await send('POST', sign, { expiration_seconds: 0 })).status, 422);
    assert.equal((await send('POST', sign, { expiration_seconds: 60 }, { key: foreign })).status, 404);
  });

  it('keeps what an account wants for uploads that say nothing', async () => {
    const nothing = { expiration_duration_seconds: null, initial_acl: null };
    const carol = { key: await aBob('carol') };
    assert.deepEqual((await send('GET', '/storage/settings', undefined, carol)).body, nothing);
    const wanted = { expiration_duration_seconds: 60, initial_acl: { default: 'forbid', rules: [] } };
    assert.deepEqual((await send('PUT', '/storage/settings', wanted, carol)).body, wanted);
    assert.deepEqual((await send('GET', '/storage/settings', undefined, carol)).body, wanted);
    assert.deepEqual((await send('GET', '/storage/settings')).body, nothing, 'of one account only');
    const { fileUrl, uploadUrl } = await initiate(carol.key);
    await fetch(uploadUrl, { method: 'PUT', body: 'x' });
    assert.equal((await fetch(fileUrl)).status, 403);
    assert.deepEqual((await send('PUT', '/storage/settings', {}, carol)).body, nothing);
  });
});
