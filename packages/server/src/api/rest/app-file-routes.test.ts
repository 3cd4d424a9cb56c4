import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { collect } from '../testing/assert-status.ts';
import { aDeploy } from '../testing/requests.ts';
import { answerOf, refusal } from '../testing/rest-answers.ts';

describe('REST: app files', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const mode = 0o100644;
  const hashOf = (content: Buffer) => createHash('sha256').update(content).update(String(mode)).digest('hex');
  const metadataOf = (content: Buffer) => ({
    size: String(content.length),
    mtime: '1700000000.5',
    mode: String(mode),
    hash: hashOf(content),
  });
  const post = (path: string, body: unknown, key = server.key) =>
    server.fetch(path, {
      key,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const putPart = (path: string, bytes: Buffer, field = 'file_upload') => {
    const form = new FormData();
    form.set(field, new Blob([new Uint8Array(bytes)]), 'chunk');
    return server.fetch(path, { method: 'PUT', body: form });
  };
  const initiate = async (content: Buffer): Promise<string> => {
    const { status, body } = await answerOf(
      await post(`/files/app/multipart/${hashOf(content)}/initiate`, metadataOf(content)),
    );
    assert.equal(status, 200);
    return `/files/app/multipart/${hashOf(content)}/${(body as { upload_id: string }).upload_id}`;
  };
  const upload = async (content: Buffer, partSize: number): Promise<{ status: number; body: unknown }> => {
    const base = await initiate(content);
    const parts: unknown[] = [];
    for (let start = 0; start < Math.max(content.length, 1); start += partSize) {
      const { status, body } = await answerOf(
        await putPart(`${base}/${parts.length + 1}`, content.subarray(start, start + partSize)),
      );
      assert.equal(status, 200);
      assert.equal((body as { part_number: number }).part_number, parts.length + 1);
      parts.push(body);
    }
    return answerOf(await post(`${base}/complete`, { parts, metadata: metadataOf(content) }));
  };
  const missing = async (hashes: string[], key?: string): Promise<unknown> =>
    (await answerOf(await post('/files/missing_hashes', { hashes }, key))).body;

  it('are missing until they are uploaded, in parts', async () => {
    const content = Buffer.from('print("hello")\n'.repeat(100));
    assert.deepEqual(await missing([hashOf(content)]), [hashOf(content)]);
    const { status, body } = await upload(content, 400);
    assert.equal(status, 200);
    assert.equal(typeof (body as { etag: unknown }).etag, 'string');
    assert.deepEqual(await missing([hashOf(content)]), []);
    assert.equal(await server.store.appFiles.modeOf(server.account.accountId, hashOf(content)), mode);
  });

  it('may be empty: one empty part', async () => {
    const hash = hashOf(Buffer.alloc(0));
    assert.equal(hash, 'd92c71f093c5fb8432d4a624b772734587e8c68534d9d988f1eaa29f7f6754de');
    assert.equal((await upload(Buffer.alloc(0), 1)).status, 200);
    assert.deepEqual(await missing([hash]), []);
  });

  it('of one account are missing to another', async () => {
    const content = Buffer.from('shared bytes');
    await upload(content, 100);
    const other = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    const otherKey = await server.newKey({ preset: 'FULL' }, other);
    assert.deepEqual(await missing([hashOf(content)], otherKey), [hashOf(content)]);
  });

  it('are deployed once they are there', async () => {
    const content = Buffer.from('y = 1\n');
    await upload(content, 100);
    const files = [{ hash: hashOf(content), relativePath: 'pkg/helper.py' }];
    const messages = await collect(server.client().registerApplication(aDeploy({ files })));
    const revisionId = messages.at(-1)!.result!.applicationId;
    const revision = await server.store.apps.getRevision(server.account.accountId, revisionId);
    assert.deepEqual(revision?.code.files, files);
  });

  it('whose bytes are not what the hash says are refused', async () => {
    const content = Buffer.from('claimed');
    const base = await initiate(content);
    const { body } = await answerOf(await putPart(`${base}/1`, Buffer.from('changed')));
    await refusal(await post(`${base}/complete`, { parts: [body], metadata: metadataOf(content) }), 422, /./);
    assert.deepEqual(await missing([hashOf(content)]), [hashOf(content)]);
  });

  it('can be cancelled, which forgets the parts', async () => {
    const base = await initiate(Buffer.from('cancelled'));
    assert.equal((await answerOf(await post(`${base}/cancel`, {}))).status, 200);
    await refusal(await putPart(`${base}/1`, Buffer.from('x')), 404, /was not found/);
  });

  it('need a form with the right field, and a part number', async () => {
    const base = await initiate(Buffer.from('form'));
    await refusal(await putPart(`${base}/1`, Buffer.from('x'), 'other'), 400, /no file in the field "file_upload"/);
    await refusal(await server.fetch(`${base}/1`, { method: 'PUT', body: 'plain text' }), 400, /multipart\/form-data/);
    await refusal(await putPart(`${base}/zero`, Buffer.from('x')), 422, /"zero"/);
    const cut = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\nhalf of';
    await refusal(
      await server.fetch(`${base}/1`, {
        method: 'PUT',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: cut,
      }),
      400,
      /ended too early/,
    );
  });

  it('refuse a part beyond the limit while it arrives', async () => {
    const base = await initiate(Buffer.from('too large'));
    await refusal(await putPart(`${base}/1`, Buffer.alloc(12 * 1024 * 1024)), 413, /A part may have/);
    await putPart(`${base}/1`, Buffer.from('the server goes on'));
  });

  it('survive clients that leave in the middle of a body', async () => {
    const content = Buffer.from('left');
    const base = await initiate(content);
    const form = 'multipart/form-data; boundary=b';
    const head = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\nhalf';
    const cutShort = (method: string, path: string, type: string, begin: string): Promise<void> =>
      new Promise((resolve) => {
        const request = httpRequest(`http://${server.authority}${path}`, {
          method,
          headers: { authorization: `Key ${server.key}`, 'content-type': type, 'content-length': 10_000 },
        });
        request.on('error', () => undefined);
        request.on('close', resolve);
        request.write(begin, () => request.destroy());
      });
    server.logged.length = 0;
    await cutShort('PUT', `${base}/1`, form, head);
    await cutShort('POST', '/files/missing_hashes', 'application/json', '{"hashes": [');
    // Both have ended on the server as well.
    while (server.logged.filter((line) => line.message === 'rest call finished').length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await answerOf(await putPart(`${base}/1`, content))).status, 200);
    assert.deepEqual(
      server.logged.filter((line) => line.message === 'rest call failed'),
      [],
    );
  });

  it('answer bodies that do not fit with 422 and a list of findings', async () => {
    const { status, body } = await answerOf(await post('/files/missing_hashes', { hashes: 'x' }));
    assert.equal(status, 422);
    const [finding] = (body as { detail: { loc: unknown; msg: unknown; type: unknown }[] }).detail;
    assert.deepEqual(finding?.loc, ['body', 'hashes']);
    assert.equal(typeof finding.msg, 'string');
    assert.equal(typeof finding.type, 'string');
    await refusal(await post('/files/missing_hashes', { hashes: ['nonsense'] }), 422, /"nonsense" is not a file hash/);
    await refusal(await server.fetch('/files/missing_hashes', { method: 'POST', body: '{' }), 400, /not valid JSON/);
  });

  it('refuse a body beyond the limit of its route', async () => {
    const path = `/files/app/multipart/${'a'.repeat(64)}/initiate`;
    await refusal(await post(path, { size: 'x'.repeat(100_000) }), 413, /may have up to 65536 bytes/);
  });
});
