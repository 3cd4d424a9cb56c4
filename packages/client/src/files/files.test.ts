import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import { encodeRemotePath, toRemotePath } from './remote-path.ts';

const code = (wanted: string) => (error: unknown) => isClientError(error) && error.code === wanted;

/** The one file of a form as the client writes it. */
function fileOf(form: Buffer): Buffer {
  const begin = form.indexOf('\r\n\r\n') + 4;
  return form.subarray(begin, form.lastIndexOf('\r\n--'));
}

describe('files of the data volume', () => {
  /** Files of a platform, by path. */
  const remote = new Map<string, Buffer>();
  const seen: string[] = [];
  const parts = new Map<number, Buffer>();
  let md5Of: (whole: Buffer) => string;
  let folder: string;
  let client: ServerlessClient;

  const answer = (request: IncomingMessage, body: Buffer, response: ServerResponse): void => {
    const url = decodeURIComponent(request.url ?? '');
    seen.push(`${request.method} ${request.url}`);
    const json = (value: unknown, status = 200): void => void response.writeHead(status).end(JSON.stringify(value));
    const match = /^\/files\/(list|file\/multipart|file\/local|file\/url|file|rename)\/(\/.*)$/.exec(url);
    const [, route, path = ''] = match ?? [];
    if (route === 'list') {
      const below = [...remote.keys()].filter((key) => key.startsWith(`${path}/`));
      const names = [...new Set(below.map((key) => key.slice(path.length + 1).split('/')[0]!))];
      return json(
        names.map((name) => {
          const content = remote.get(`${path}/${name}`);
          return {
            path: `${path}/${name}`,
            size: content?.length ?? 0,
            is_file: content !== undefined,
            updated_time: 1.5,
          };
        }),
      );
    }
    if (route === 'file/local') remote.set(path, fileOf(body));
    else if (route === 'file/url') remote.set(path, Buffer.from((JSON.parse(body.toString()) as { url: string }).url));
    else if (route === 'rename') {
      remote.set((JSON.parse(body.toString()) as { destination: string }).destination, remote.get(path)!);
      remote.delete(path);
    } else if (route === 'file/multipart') {
      if (path.endsWith('/initiate')) return json({ upload_id: 'id' });
      const number = /\/id\/(\d+)$/.exec(path)?.[1];
      if (number !== undefined) {
        parts.set(Number(number), fileOf(body));
        return json({ part_number: Number(number), etag: `e${number}` });
      }
      if (path.endsWith('/cancel')) return json({});
      const { parts: listed } = JSON.parse(body.toString()) as { parts: { part_number: number; etag: string }[] };
      assert.deepEqual(
        listed,
        listed.map((_, index) => ({ part_number: index + 1, etag: `e${index + 1}` })),
      );
      const whole = Buffer.concat(listed.map((part) => parts.get(part.part_number)!));
      remote.set(path.replace('/id/complete', ''), whole);
      return json({ etag: md5Of(whole) });
    } else if (request.method === 'DELETE') remote.delete(path);
    else {
      const content = remote.get(path);
      if (content === undefined) return json({ detail: `There is no ${path}.` }, 404);
      response.writeHead(200).end(content);
      return;
    }
    json(true);
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, Buffer.concat(chunks), response));
  });
  before(async () => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new ServerlessClient({
      apiKey: 'id:secret',
      environment: { FAL_GRPC_HOST: base, ISOLATE_TEST_MODE: '1', FAL_CONFIG_PATH: '/no/file' },
    });
  });
  after(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-client-'));
    md5Of = (whole) => createHash('md5').update(whole).digest('hex');
  });
  afterEach(async () => {
    remote.clear();
    parts.clear();
    seen.splice(0);
    await rm(folder, { recursive: true, force: true });
  });

  test('paths are absolute on the wire, with each name encoded', () => {
    for (const [path, absolute] of [
      ['', '/data'],
      ['.', '/data'],
      ['a/b', '/data/a/b'],
      ['/data/a//b/', '/data/a/b'],
      ['./a/.', '/data/a'],
      ['/other', '/other'],
    ] as const) {
      assert.equal(toRemotePath(path), absolute, path);
    }
    assert.equal(encodeRemotePath('a b/ü?#%'), '/data/a%20b/%C3%BC%3F%23%25');
  });

  test('a folder goes up and comes back as it was, large files in parts', async () => {
    const large = randomBytes(21 * 1024 * 1024 + 5);
    await mkdir(join(folder, 'up/deep'), { recursive: true });
    await writeFile(join(folder, 'up/large.bin'), large);
    await writeFile(join(folder, 'up/deep/ü 1.txt'), 'text');
    await writeFile(join(folder, 'up/empty'), '');
    const progress: number[] = [];
    await client.files.upload(join(folder, 'up'), 'there', {
      onProgress: ({ uploadedBytes }) => progress.push(uploadedBytes),
    });
    assert.deepEqual([...remote.keys()].toSorted(), [
      '/data/there/deep/ü 1.txt',
      '/data/there/empty',
      '/data/there/large.bin',
    ]);
    assert.ok(remote.get('/data/there/large.bin')!.equals(large));
    assert.equal(progress.at(-1), large.length + 4);

    await client.files.download('there', join(folder, 'down'));
    assert.deepEqual((await readdir(join(folder, 'down'), { recursive: true })).toSorted(), [
      'deep',
      'deep/ü 1.txt',
      'empty',
      'large.bin',
    ]);
    assert.ok(large.equals(await readFile(join(folder, 'down/large.bin'))));
    await client.files.download('/data/there/deep/ü 1.txt', join(folder, 'one.txt'));
    assert.equal(await readFile(join(folder, 'one.txt'), 'utf8'), 'text');
  });

  test('a listing tells sizes and times; reading, fetching, moving and deleting do what they say', async () => {
    remote.set('/data/a.txt', Buffer.from('abc'));
    remote.set('/data/folder/b', Buffer.from('b'));
    assert.deepEqual(await client.files.list(), [
      { path: '/data/a.txt', name: 'a.txt', isFile: true, sizeBytes: 3, updatedAt: new Date(1500) },
      { path: '/data/folder', name: 'folder', isFile: false, sizeBytes: 0, updatedAt: new Date(1500) },
    ]);
    assert.equal(await new Response(await client.files.read('a.txt')).text(), 'abc');
    await client.files.uploadFromUrl('https://x.example/y', 'fetched');
    await client.files.move('fetched', 'moved/here');
    assert.equal(String(remote.get('/data/moved/here')), 'https://x.example/y');
    await client.files.delete('a.txt');
    assert.equal(remote.has('/data/a.txt'), false);
    assert.equal(seen.at(-1), 'DELETE /files/file//data/a.txt');
  });

  test('what is not there is told, and leaves nothing here', async () => {
    await assert.rejects(client.files.read('none'), code('not_found'));
    await assert.rejects(client.files.download('none', join(folder, 'none')), code('not_found'));
    await assert.rejects(client.files.upload(join(folder, 'none'), 'x'), code('invalid_argument'));
    assert.deepEqual(await readdir(folder), []);
  });

  test('a large file that arrives as something else is an error, and the upload is cancelled', async () => {
    md5Of = () => 'something else';
    await writeFile(join(folder, 'large'), Buffer.alloc(11 * 1024 * 1024));
    await assert.rejects(client.files.upload(join(folder, 'large'), 'large'), code('invalid_argument'));
    assert.equal(seen.at(-1), 'POST /files/file/multipart//data/large/id/cancel');
  });

  test('names of a listing never lead out of the folder they are put into', async () => {
    remote.set('/data/evil/a\\..\\b', Buffer.from('x'));
    await assert.rejects(client.files.download('evil', join(folder, 'down')), code('unexpected_answer'));
  });
});
