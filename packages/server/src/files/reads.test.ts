import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Acl } from './acl.ts';
import { startFileServer, type FileServer } from './testing/file-server.ts';

describe('reads from the file host', () => {
  let server: FileServer;
  before(async () => (server = await startFileServer({ readWaitMs: 1_000, waitingReaders: 2 })));
  after(() => server.stop());

  const upload = async (
    bytes: string | Uint8Array,
    headers: Record<string, string> = {},
    target: FileServer = server,
  ): Promise<string> => {
    const response = await target.fetch(`${target.cdn}/files/upload`, {
      method: 'POST',
      body: bytes,
      headers: { authorization: target.alice.key, ...headers },
    });
    assert.equal(response.status, 200);
    return ((await response.json()) as { access_url: string }).access_url;
  };
  const get = (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
    server.fetch(url, { headers, method });

  it('answer ranges, one at a time', async () => {
    const url = await upload('0123456789');
    const cases: [string, number, string, string | null][] = [
      ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
      ['bytes=5-', 206, '56789', 'bytes 5-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
      ['bytes=10-', 416, '', 'bytes */10'],
      ['bytes=-0', 416, '', 'bytes */10'],
      ['bytes=5-2', 200, '0123456789', null],
      ['bytes=0-1,4-5', 200, '0123456789', null],
      ['lines=1-2', 200, '0123456789', null],
    ];
    for (const [range, status, body, contentRange] of cases) {
      const response = await get(url, { range });
      assert.deepEqual(
        [response.status, await response.text(), response.headers.get('content-range')],
        [status, body, contentRange],
        range,
      );
    }
  });

  it('say what a reader has already', async () => {
    const url = await upload('text');
    const first = await get(url);
    await first.text();
    const etag = first.headers.get('etag')!;
    const modified = first.headers.get('last-modified')!;
    const not = async (headers: Record<string, string>, status: number): Promise<void> => {
      const response = await get(url, headers);
      assert.equal(response.status, status, JSON.stringify(headers));
      await response.text();
    };
    await not({ 'if-none-match': etag }, 304);
    await not({ 'if-none-match': `"x", W/${etag}` }, 304);
    await not({ 'if-none-match': '*' }, 304);
    await not({ 'if-none-match': '"x"', 'if-modified-since': modified }, 200);
    await not({ 'if-modified-since': modified }, 304);
    await not({ 'if-match': '"x"' }, 412);
    await not({ 'if-match': etag }, 200);
    await not({ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 412);
    await not({ range: 'bytes=0-1', 'if-range': etag }, 206);
    await not({ range: 'bytes=0-1', 'if-range': '"other"' }, 200);
  });

  it('answer HEAD with the headers alone, and other methods with 405', async () => {
    const url = await upload('abc', { 'content-type': 'video/mp4' });
    const head = await get(url, { range: 'bytes=0-0' }, 'HEAD');
    assert.deepEqual(
      [
        head.status,
        head.headers.get('content-length'),
        head.headers.get('content-type'),
        head.headers.get('accept-ranges'),
      ],
      [200, '3', 'video/mp4', 'bytes'],
    );
    const post = await get(url, {}, 'POST');
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD, DELETE']);
    for (const path of ['/', '/files', '/files/b', '/files/b/', '/files/b/x/y/z/w', '/uploads', '/files/b/%00']) {
      assert.equal((await get(`${server.cdn}${path}`)).status, 404, path);
    }
  });

  it('keep an empty file empty', async () => {
    const url = await upload('');
    const response = await get(url);
    assert.deepEqual([response.status, response.headers.get('content-length'), await response.text()], [200, '0', '']);
    assert.equal((await get(url, { range: 'bytes=0-' })).status, 416);
  });

  it('never let a file run as code under our name', async () => {
    for (const type of [
      'text/html',
      'image/svg+xml; charset=utf-8',
      'application/xhtml+xml',
      'text/javascript',
      'TEXT/XML',
    ]) {
      const response = await get(await upload('<script>alert(1)</script>', { 'content-type': type }));
      await response.text();
      assert.match(response.headers.get('content-disposition') ?? '', /^attachment;/, type);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'.*sandbox$/);
    }
    const image = await get(await upload('x', { 'content-type': 'image/png', 'x-fal-file-name': 'a"b\\c/../d é.png' }));
    assert.equal(
      image.headers.get('content-disposition'),
      `inline; filename="d _.png"; filename*=UTF-8''d%20%C3%A9.png`,
    );
    const strange = await get(await upload('x', { 'content-type': 'no type at all' }));
    assert.equal(strange.headers.get('content-type'), 'application/octet-stream');
  });

  it('may be made from any web page', async () => {
    const url = await upload('x');
    const response = await get(url, { origin: 'https://page.example' });
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    assert.match(response.headers.get('access-control-expose-headers') ?? '', /content-range.*etag/);
    const preflight = await server.fetch(`${server.cdn}/uploads/x`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://page.example',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    });
    assert.equal(preflight.status, 204);
    assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PUT/);
  });

  it('end with the lifetime the uploader wished, and then the bytes go', async () => {
    const own = await startFileServer();
    try {
      const url = await upload('short', { 'x-fal-object-lifecycle': '{"expiration_duration_seconds": 60}' }, own);
      const kept = await upload(
        'kept',
        { 'x-fal-object-lifecycle-preference': '{"expiration_duration_seconds": null}' },
        own,
      );
      const response = await own.fetch(url);
      assert.equal(await response.text(), 'short');
      assert.match(response.headers.get('cache-control') ?? '', /max-age=(60|5\d),/);
      await own.clock.advance(60_000);
      assert.equal((await own.fetch(url)).status, 404);
      await own.sweep();
      assert.equal(await own.store.find(url.split('/')[6]!), null);
      assert.deepEqual(await own.store.listLeftovers(0, 10), []);
      assert.equal(await (await own.fetch(kept)).text(), 'kept');
    } finally {
      await own.stop();
    }
  });

  it('follow what the account settled for uploads that say nothing', async () => {
    const own = await startFileServer();
    try {
      await own.files.storage.setSettings(own.alice.accountId, {
        lifetimeMs: 3_600_000,
        acl: { default: 'hide', rules: [] },
      });
      const url = await upload('x', {}, own);
      assert.equal((await own.fetch(url)).status, 404);
      const inApp = await upload('x', { 'x-fal-object-lifecycle': '{"expiration_duration_seconds":null}' }, own);
      assert.equal((await own.fetch(inApp)).status, 404, 'an app that passes on a preference that says nothing');
      const mine = await own.fetch(url, { headers: { authorization: own.alice.key } });
      assert.equal(mine.status, 200);
      await own.clock.advance(3_600_000);
      assert.equal((await own.fetch(url, { headers: { authorization: own.alice.key } })).status, 404);
    } finally {
      await own.stop();
    }
  });

  it('refuse a lifecycle that cannot be read', async () => {
    for (const lifecycle of [
      'nope',
      '[]',
      '{"expiration_duration_seconds": -1}',
      '{"initial_acl": {"default": "maybe"}}',
    ]) {
      const response = await server.fetch(`${server.cdn}/files/upload`, {
        method: 'POST',
        body: 'x',
        headers: { authorization: server.alice.key, 'x-fal-object-lifecycle': lifecycle },
      });
      assert.equal(response.status, 422, lifecycle);
    }
  });

  it('are for those whom the access list lets in', async () => {
    const withAcl = (acl: Partial<Acl>): Promise<string> =>
      upload('secret', { 'x-fal-object-lifecycle': JSON.stringify({ initial_acl: acl }) });
    const statuses = async (url: string): Promise<number[]> =>
      Promise.all(
        [{}, { authorization: server.bob.key }, { authorization: server.alice.key }].map(async (headers) => {
          const response = await get(url, headers);
          await response.text();
          return response.status;
        }),
      );
    assert.deepEqual(await statuses(await withAcl({ default: 'forbid' })), [403, 403, 200]);
    assert.deepEqual(await statuses(await withAcl({ default: 'hide' })), [404, 404, 200]);
    const shared = await withAcl({ default: 'hide', rules: [{ user: 'BOB', decision: 'allow' }] });
    assert.deepEqual(await statuses(shared), [404, 200, 200]);
    const rules = [
      { user: server.bob.accountId, decision: 'hide' as const },
      { user: 'bob', decision: 'forbid' as const },
    ];
    assert.deepEqual(await statuses(await withAcl({ default: 'allow', rules })), [200, 403, 200]);
    const response = await get(shared, { authorization: server.bob.key });
    assert.equal(response.headers.get('cache-control'), 'private, no-cache');
    await server.files.storage.writeAcl(server.alice.accountId, shared, { default: 'allow', rules: [] });
    assert.deepEqual(await statuses(shared), [200, 200, 200]);
    await assert.rejects(server.files.storage.readAcl(server.bob.accountId, shared), { code: 'not_found' });
  });

  it('work for everybody by a signed link, until it ends', async () => {
    const url = await upload('secret', { 'x-fal-object-lifecycle': '{"initial_acl":{"default":"hide"}}' });
    const sign = (authorization: string): Promise<Response> =>
      server.fetch(`${url}/sign`, {
        method: 'POST',
        body: '{"duration":60,"scope":["read"]}',
        headers: { authorization },
      });
    assert.equal((await sign(server.bob.key)).status, 404);
    const link = await (await sign(server.alice.key)).text();
    assert.equal(await (await get(link)).text(), 'secret');
    assert.equal((await get(link.replace(/.$/, 'A').replace(/identity=./, 'identity=z'))).status, 404);
    const other = await upload('other', { 'x-fal-object-lifecycle': '{"initial_acl":{"default":"hide"}}' });
    assert.equal((await get(`${other}?${link.split('?')[1]}`)).status, 404);
    await server.clock.advance(61_000);
    assert.equal((await get(link)).status, 404);
    assert.equal(
      (
        await server.fetch(`${url}/sign`, {
          method: 'POST',
          body: '{"duration":999999999}',
          headers: { authorization: server.alice.key },
        })
      ).status,
      422,
    );
  });

  it('end when the owner deletes the file, and nobody else can', async () => {
    const url = await upload('x');
    assert.equal((await get(url, {}, 'DELETE')).status, 401);
    assert.equal((await get(url, { authorization: server.bob.key }, 'DELETE')).status, 404);
    assert.equal((await get(url, { authorization: server.alice.key }, 'DELETE')).status, 204);
    assert.equal((await get(url)).status, 404);
  });

  it('of a file whose upload is still running wait for it, within bounds', async () => {
    const facts = { accountId: server.alice.accountId, fileName: 'late', contentType: 'text/plain', lifecycle: {} };
    const { fileUrl, uploadUrl } = await server.files.storage.open(server.origin, facts);
    const waiting = get(fileUrl);
    const alsoWaiting = get(fileUrl);
    // The third is one too many and is told at once.
    while ((await Promise.race([waiting, alsoWaiting, get(fileUrl)])).status !== 404);
    assert.equal((await server.fetch(uploadUrl, { method: 'PUT', body: 'now' })).status, 200);
    assert.deepEqual(await Promise.all([(await waiting).text(), (await alsoWaiting).text()]), ['now', 'now']);

    const never = await server.files.storage.open(server.origin, facts);
    let isOver = false;
    const missed = get(never.fileUrl).finally(() => (isOver = true));
    while (!isOver) await server.clock.advance(200);
    assert.equal((await missed).status, 404);
  });

  it('stop reading the disk when the reader leaves', async () => {
    const url = await upload(new Uint8Array(20_000_000));
    const leaving = new AbortController();
    const response = await server.fetch(url, { signal: leaving.signal });
    await response.body!.getReader().read();
    leaving.abort();
    assert.equal((await get(url, { range: 'bytes=0-0' })).status, 206);
  });
});
