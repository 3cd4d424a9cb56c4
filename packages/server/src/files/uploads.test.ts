import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startFileServer, type FileServer } from './testing/file-server.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const tokenOf = (server: FileServer, caller = server.alice): string =>
  `Bearer ${server.files.storage.createToken(server.origin, caller).token}`;
const facts = (server: FileServer, fileName = 'a.bin') => ({
  accountId: server.alice.accountId,
  fileName,
  contentType: 'application/octet-stream',
  lifecycle: {},
});

async function blobsOf(server: FileServer): Promise<string[]> {
  const entries = await readdir(join(server.folder, 'objects'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('uploads to the file host', () => {
  let server: FileServer;
  before(async () => (server = await startFileServer({ requestBytes: 3_000_000, objectBytes: 5_000_000 })));
  after(() => server.stop());

  const upload = async (bytes: Uint8Array | string, headers: Record<string, string> = {}): Promise<Response> =>
    server.fetch(`${server.cdn}/files/upload`, {
      method: 'POST',
      body: bytes,
      headers: {
        authorization: tokenOf(server),
        'content-type': 'image/png',
        'x-fal-file-name': 'cat.png',
        ...headers,
      },
    });

  it('in one request gives a URL that everybody can read, bytes and type as they were', async () => {
    const bytes = randomBytes(1_500_000);
    const response = await upload(bytes);
    assert.equal(response.status, 200);
    const { access_url: url } = (await response.json()) as { access_url: string };
    assert.match(url, new RegExp(`^${server.cdn}/files/b/[\\w-]{22}/cat\\.png$`));
    const read = await server.fetch(url);
    assert.equal(read.status, 200);
    assert.equal(read.headers.get('content-type'), 'image/png');
    assert.equal(read.headers.get('etag'), `"${sha256(bytes)}"`);
    assert.deepEqual(Buffer.from(await read.arrayBuffer()), bytes);
  });

  it('take a key in place of a token, and nothing from strangers', async () => {
    assert.equal((await upload('x', { authorization: server.alice.key })).status, 200);
    for (const authorization of [
      '',
      'Bearer nonsense',
      'Bearer lanner_cdn.a.b.c',
      'Key a:b',
      tokenOf(server).slice(0, -3),
    ]) {
      const response = await upload('x', { authorization });
      assert.equal(response.status, 401, authorization);
      await response.body?.cancel();
    }
    const reader = await server.addKey(server.alice, { permissions: ['storage:files:read'] });
    assert.equal((await upload('x', { authorization: reader })).status, 403);
  });

  it('by an upload URL need no credentials, and ignore foreign ones', async () => {
    const { fileUrl, uploadUrl } = await server.files.storage.open(server.origin, facts(server, 'später é.txt'));
    assert.equal(new URL(uploadUrl).search, '');
    const put = await server.fetch(uploadUrl, {
      method: 'PUT',
      body: 'hello',
      headers: { authorization: 'Key no:such' },
    });
    assert.equal(put.status, 200);
    assert.equal(await (await server.fetch(fileUrl)).text(), 'hello');
    // A repetition whose first answer was lost.
    assert.equal((await server.fetch(uploadUrl, { method: 'PUT', body: 'hello' })).status, 200);
    assert.equal((await server.fetch(uploadUrl, { method: 'PUT', body: 'other' })).status, 409);
    assert.equal(await (await server.fetch(fileUrl)).text(), 'hello');
    const forged = uploadUrl.replace(/\.[^.]+$/, `.${randomBytes(32).toString('base64url')}`);
    assert.equal((await server.fetch(forged, { method: 'PUT', body: 'x' })).status, 403);
  });

  it('in parts by an upload URL: any order, repeated parts, and a completion that is repeated', async () => {
    const { fileUrl, uploadUrl } = await server.files.storage.open(server.origin, facts(server));
    const parts = [randomBytes(70_000), randomBytes(70_000), randomBytes(5)];
    const listed: { partNumber: number; etag: string }[] = [];
    for (const number of [3, 1, 2, 2]) {
      const response = await server.fetch(`${uploadUrl}/${number}`, { method: 'PUT', body: parts[number - 1]! });
      assert.equal(response.status, 200);
      const body = (await response.json()) as { partNumber: number; etag: string };
      assert.equal(response.headers.get('etag'), `"${body.etag}"`);
      if (listed.every((part) => part.partNumber !== number)) listed.push(body);
    }
    const complete = (): Promise<Response> =>
      server.fetch(`${uploadUrl}/complete`, {
        method: 'POST',
        body: JSON.stringify({ parts: listed.map((part) => ({ ...part, etag: `"${part.etag}"` })) }),
      });
    assert.equal((await complete()).status, 200);
    assert.equal((await complete()).status, 200);
    const whole = Buffer.concat(parts);
    assert.deepEqual(Buffer.from(await (await server.fetch(fileUrl)).arrayBuffer()), whole);
    const range = await server.fetch(fileUrl, { headers: { range: 'bytes=69990-140002' } });
    assert.equal(range.status, 206);
    assert.equal(range.headers.get('content-range'), 'bytes 69990-140002/140005');
    assert.deepEqual(Buffer.from(await range.arrayBuffer()), whole.subarray(69_990, 140_003));
    assert.equal((await server.fetch(`${uploadUrl}/4`, { method: 'PUT', body: 'late' })).status, 409);
  });

  it('in parts with a token, as fal_client and the older storage do it', async () => {
    const headers = { authorization: tokenOf(server), 'content-type': 'text/plain', 'x-fal-file-name': 'big.txt' };
    const begun = await server.fetch(`${server.cdn}/files/upload/multipart`, { method: 'POST', headers });
    const { access_url: url, uploadId } = (await begun.json()) as { access_url: string; uploadId: string };
    const part = await server.fetch(`${url}/multipart/${uploadId}/1`, { method: 'PUT', body: 'part', headers });
    const etag = part.headers.get('etag');
    const foreign = await server.fetch(`${url}/multipart/${uploadId}/2`, {
      method: 'PUT',
      body: 'x',
      headers: { authorization: tokenOf(server, server.bob) },
    });
    assert.equal(foreign.status, 404);
    const done = await server.fetch(`${url}/multipart/${uploadId}/complete`, {
      method: 'POST',
      body: JSON.stringify({ parts: [{ partNumber: 1, etag }] }),
      headers,
    });
    assert.equal(done.status, 200);
    assert.equal(await (await server.fetch(url)).text(), 'part');

    const { uploadUrl } = await server.files.storage.open(server.origin, facts(server));
    const asked = await server.fetch(`${uploadUrl}/1`, { method: 'POST', headers });
    const { upload_url: partUrl } = (await asked.json()) as { upload_url: string };
    const stored = await server.fetch(partUrl, { method: 'PUT', body: '' });
    const finished = await server.fetch(`${uploadUrl}/complete`, {
      method: 'POST',
      body: JSON.stringify({ parts: [{ part_number: 1, etag: stored.headers.get('etag')!.replaceAll('"', '') }] }),
    });
    assert.equal(finished.status, 200);
  });

  it('are refused when a part is missing, differs, or the list cannot be read', async () => {
    const { uploadUrl } = await server.files.storage.open(server.origin, facts(server));
    await server.fetch(`${uploadUrl}/1`, { method: 'PUT', body: 'one' });
    for (const body of [
      '{"parts":[]}',
      '{"parts":[{"partNumber":2,"etag":"x"}]}',
      '{"parts":[{"partNumber":1,"etag":"x"}]}',
      '{"parts":[{"etag":"x"}]}',
      '{}',
    ]) {
      assert.equal((await server.fetch(`${uploadUrl}/complete`, { method: 'POST', body })).status, 422, body);
    }
    assert.equal((await server.fetch(`${uploadUrl}/complete`, { method: 'POST', body: 'nope' })).status, 400);
    assert.equal((await server.fetch(`${uploadUrl}/10001`, { method: 'PUT', body: 'x' })).status, 422);
  });

  it('beyond the limits answer 413 and leave nothing behind', async () => {
    await server.sweep();
    const before = await blobsOf(server);
    const announced = await upload(randomBytes(3_000_001));
    assert.equal(announced.status, 413);
    assert.match(((await announced.json()) as { detail: string }).detail, /3000000 bytes/);
    const chunked = await server.fetch(`${server.cdn}/files/upload`, {
      method: 'POST',
      body: new ReadableStream({
        start(controller) {
          for (let piece = 0; piece < 4; piece += 1) controller.enqueue(randomBytes(1_000_000));
          controller.close();
        },
      }),
      headers: { authorization: tokenOf(server) },
      duplex: 'half',
    } as RequestInit);
    assert.equal(chunked.status, 413);
    const { uploadUrl } = await server.files.storage.open(server.origin, facts(server));
    for (const number of [1, 2])
      await server.fetch(`${uploadUrl}/${number}`, { method: 'PUT', body: randomBytes(2_900_000) });
    const tooMuch = await server.fetch(`${uploadUrl}/complete`, {
      method: 'POST',
      body: '{"parts":[{"partNumber":1},{"partNumber":2}]}',
    });
    assert.equal(tooMuch.status, 413);
    await server.clock.advance(8 * 86_400_000);
    await server.sweep();
    for (const blob of await blobsOf(server)) assert.ok(before.includes(blob));
  });

  it('whose sender leaves half-way store nothing', async () => {
    const { fileUrl, uploadUrl } = await server.files.storage.open(server.origin, facts(server));
    const { port, pathname, host } = new URL(uploadUrl);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`PUT ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 1000\r\n\r\nabc`);
    await new Promise((resolve) => setImmediate(resolve));
    socket.end();
    socket.on('data', () => undefined);
    await new Promise((resolve) => socket.on('close', resolve));
    assert.equal((await server.fetch(uploadUrl, { method: 'PUT', body: 'whole' })).status, 200);
    assert.equal(await (await server.fetch(fileUrl)).text(), 'whole');
  });

  it('have a bound on how many one account leaves open', async () => {
    const small = await startFileServer({ openPerAccount: 2 });
    try {
      for (let count = 0; count < 2; count += 1) await small.files.storage.open(small.origin, facts(small));
      await assert.rejects(small.files.storage.open(small.origin, facts(small)), { code: 'too_many_requests' });
      const other = { ...facts(small), accountId: small.bob.accountId };
      await small.files.storage.open(small.origin, other);
    } finally {
      await small.stop();
    }
  });

  it('are refused while the disk has less free than the platform needs', async () => {
    const full = await startFileServer({ reservedBytes: Number.MAX_SAFE_INTEGER, reservedPart: 2 });
    try {
      const response = await full.fetch(`${full.cdn}/files/upload`, {
        method: 'POST',
        body: 'x',
        headers: { authorization: full.alice.key },
      });
      assert.equal(response.status, 507);
      assert.match(((await response.json()) as { detail: string }).detail, /disk of this platform is full/);
    } finally {
      await full.stop();
    }
  });

  it('tokens end with their time and with their key', async () => {
    const own = await startFileServer();
    try {
      const token = `Bearer ${own.files.storage.createToken(own.origin, own.alice, 120).token}`;
      const status = async (): Promise<number> =>
        (await own.fetch(`${own.cdn}/files/upload`, { method: 'POST', body: 'x', headers: { authorization: token } }))
          .status;
      assert.equal(await status(), 200);
      await own.clock.advance(121_000);
      assert.equal(await status(), 401);
      const second = `Bearer ${own.files.storage.createToken(own.origin, own.alice).token}`;
      await own.revokeKey(own.alice);
      const response = await own.fetch(`${own.cdn}/files/upload`, {
        method: 'POST',
        body: 'x',
        headers: { authorization: second },
      });
      assert.equal(response.status, 401);
    } finally {
      await own.stop();
    }
  });
});
