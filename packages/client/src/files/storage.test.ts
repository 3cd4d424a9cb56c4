import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import type { UploadProgress } from './upload-options.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  sizeBytes: number;
  text: string;
}

const mebibyte = 1024 * 1024;
const code = (wanted: string) => (error: unknown) => {
  assert.ok(isClientError(error), String(error));
  assert.equal(error.code, wanted, String(error));
  return true;
};

describe('uploads to storage', () => {
  const seen: Seen[] = [];
  /** Answers something else than the usual, for once. */
  let instead: ((request: Seen, response: ServerResponse) => boolean) | null = null;
  let base: string;
  let folder: string;
  let client: ServerlessClient;

  const server = createServer((incoming, response) => {
    const request: Seen = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
      sizeBytes: 0,
      text: '',
    };
    incoming.on('data', (chunk: Buffer) => {
      request.sizeBytes += chunk.length;
      if (request.sizeBytes < 10_000) request.text += chunk.toString();
    });
    incoming.on('end', () => {
      seen.push(request);
      if (instead?.(request, response)) return;
      const json = (body: unknown, headers = {}): void =>
        void response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
      if (request.url.startsWith('/storage/upload/initiate')) {
        json({ file_url: `http://${base}/file`, upload_url: `http://${base}/put/here?signature=1` });
      } else json({}, { etag: `"${request.url.split('/')[3]}"` });
    });
  });
  before(async () => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    folder = await mkdtemp(join(tmpdir(), 'lanner-client-'));
    client = new ServerlessClient({
      apiKey: 'id:secret',
      environment: { FAL_GRPC_HOST: base, FAL_REST_HOST: base, ISOLATE_TEST_MODE: '1', FAL_CONFIG_PATH: '/no/file' },
    });
  });
  after(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    seen.splice(0);
    instead = null;
  });
  const urls = (): string[] => seen.map(({ method, url }) => `${method} ${url}`);

  test('take bytes, a Blob, a File and a path, with the name and type each has', async () => {
    const path = join(folder, 'photo.png');
    await writeFile(path, 'png');
    for (const content of [
      new Uint8Array([1, 2, 3]),
      new Blob(['abc'], { type: 'text/plain' }),
      new File(['abc'], 'a.mp4'),
      path,
    ]) {
      assert.equal(await client.storage.upload(content), `http://${base}/file`);
    }
    const initiated = seen.filter(({ method }) => method === 'POST').map(({ text }) => JSON.parse(text) as unknown);
    assert.deepEqual(initiated, [
      { file_name: 'upload.bin', content_type: 'application/octet-stream' },
      { file_name: 'upload.txt', content_type: 'text/plain' },
      { file_name: 'a.mp4', content_type: 'video/mp4' },
      { file_name: 'photo.png', content_type: 'image/png' },
    ]);
    const [initiate, put] = seen;
    assert.equal(initiate?.headers.authorization, 'Key id:secret');
    assert.equal(`${put?.method} ${put?.url}`, 'PUT /put/here?signature=1');
    assert.equal(put?.headers.authorization, undefined, 'the key stays with the platform');
    assert.deepEqual([put?.sizeBytes, put?.headers['content-length']], [3, '3']);
  });

  test('say how long the file lives and who may read it', async () => {
    await client.storage.upload(new Blob(['x']), {
      expiresIn: '1h',
      access: { default: 'hide', rules: [{ user: 'ada', decision: 'allow' }] },
      fileName: 'named.txt',
    });
    assert.deepEqual(JSON.parse(String(seen[0]?.headers['x-fal-object-lifecycle'])), {
      expiration_duration_seconds: 3600,
      initial_acl: { default: 'hide', rules: [{ user: 'ada', decision: 'allow' }] },
    });
    for (const expiresIn of [0, -1, 1.5, 'soon'] as never[]) {
      await assert.rejects(client.storage.upload(new Blob(['x']), { expiresIn }), code('invalid_argument'));
    }
  });

  test('of large files go in parts that are told as they go', async () => {
    const progress: UploadProgress[] = [];
    const blob = new Blob([new Uint8Array(95 * mebibyte)]);
    await client.storage.upload(blob, { onProgress: (state) => progress.push(state) });
    assert.match(urls()[0]!, /initiate-multipart/);
    const parts = seen.filter(({ method }) => method === 'PUT');
    assert.deepEqual(
      parts.map(({ url }) => url).toSorted(),
      Array.from({ length: 10 }, (_, index) => `/put/here/${index + 1}?signature=1`).toSorted(),
    );
    assert.equal(
      parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      blob.size,
    );
    assert.equal(urls().at(-1), 'POST /put/here/complete?signature=1');
    const { parts: listed } = JSON.parse(seen.at(-1)!.text) as { parts: { partNumber: number }[] };
    assert.deepEqual(
      listed.map(({ partNumber }) => partNumber),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.deepEqual(progress.at(-1), { uploadedBytes: blob.size, totalBytes: blob.size });
  });

  test('of streams hold one part in memory, and small ones go as a whole', async () => {
    const stream = async function* (pieces: number): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < pieces; piece += 1) yield new Uint8Array(7 * mebibyte);
    };
    await client.storage.upload(stream(3));
    assert.deepEqual(
      seen.filter(({ method }) => method === 'PUT').map(({ sizeBytes }) => sizeBytes),
      [10 * mebibyte, 10 * mebibyte, mebibyte],
    );
    seen.splice(0);
    await client.storage.upload(new Blob(['web']).stream() as ReadableStream<Uint8Array>, { fileName: 'a.txt' });
    assert.deepEqual(urls(), ['POST /storage/upload/initiate?storage_type=fal-cdn-v3', 'PUT /put/here?signature=1']);
    seen.splice(0);
    await client.storage.upload(stream(0));
    assert.equal(seen[1]?.sizeBytes, 0);
  });

  test('try a part again after a passing failure, and tell what stays', async () => {
    let failures = 1;
    instead = (request, response) => {
      if (request.method !== 'PUT' || failures-- <= 0) return false;
      response.writeHead(503).end('{"detail":"later"}');
      return true;
    };
    assert.equal(await client.storage.upload(new Blob(['x'])), `http://${base}/file`);
    instead = (request, response) => {
      if (request.method === 'PUT') response.writeHead(413).end('{"detail":"too large"}');
      return request.method === 'PUT';
    };
    await assert.rejects(client.storage.upload(new Blob(['x'])), (error: Error) => {
      assert.match(error.message, /too large/);
      return code('rejected')(error);
    });
  });

  test('end with their signal and their time', async () => {
    const hang = (request: Seen): boolean => request.method === 'PUT';
    instead = hang;
    const stop = new AbortController();
    const stopped = client.storage.upload(new Blob(['x']), { signal: stop.signal });
    while (!seen.some(({ method }) => method === 'PUT')) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await assert.rejects(stopped, code('cancelled'));
    await assert.rejects(client.storage.upload(new Blob(['x']), { timeoutMs: 100 }), code('timed_out'));
  });

  test('of what is none are refused', async () => {
    for (const content of [42, null, { a: 1 }] as never[]) {
      await assert.rejects(client.storage.upload(content), code('invalid_argument'));
    }
    await assert.rejects(client.storage.upload('/no/such/file'), code('invalid_argument'));
    assert.deepEqual(seen, []);
  });

  test('happen by themselves for files in the input of a call', async () => {
    const calls = new ServerlessClient({
      apiKey: 'id:secret',
      fetch: (url, init) => fetch(url.replace('https:', 'http:'), init as RequestInit),
      environment: {
        FAL_GRPC_HOST: base,
        FAL_REST_HOST: base,
        FAL_RUN_HOST: `${base}/run`,
        FAL_CONFIG_PATH: '/no/file',
      },
    });
    const input = {
      image: new Blob(['x'], { type: 'image/png' }),
      list: [new File(['y'], 'y.txt'), 1],
      plain: { text: 'z' },
    };
    await calls.run('owner/app', { input });
    const url = `http://${base}/file`;
    assert.deepEqual(JSON.parse(seen.at(-1)!.text), { image: url, list: [url, 1], plain: { text: 'z' } });
    assert.equal(seen.filter(({ method }) => method === 'PUT').length, 2);
    assert.ok(input.image instanceof Blob, 'what the caller gave stays as it was');
    calls.close();
  });
});
