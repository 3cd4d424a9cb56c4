import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

/** An archive as Python packs it. */
async function zipOf(files: Record<string, string>): Promise<Buffer> {
  const program =
    'import io,json,sys,zipfile; f=io.BytesIO(); z=zipfile.ZipFile(f,"w",zipfile.ZIP_DEFLATED); [z.writestr(n,t) for n,t in json.load(sys.stdin).items()]; z.close(); sys.stdout.buffer.write(f.getvalue())';
  return execFileSync('python3', ['-c', program], { input: JSON.stringify(files) });
}

interface FileSpec {
  path: string;
  name: string;
  size: number;
  is_file: boolean;
  updated_time: number;
}

describe('REST: files of the data volume', () => {
  let server: ApiServer;
  let outside: string;
  before(async () => {
    server = await startApiServer();
    outside = await mkdtemp(join(tmpdir(), 'lanner-outside-'));
    await writeFile(join(outside, 'secret'), 'secret');
  });
  after(async () => {
    await server.stop();
    await rm(outside, { recursive: true, force: true });
  });

  const form = (bytes: Uint8Array | string): FormData => {
    const body = new FormData();
    body.append('file_upload', new Blob([bytes as Uint8Array<ArrayBuffer>]), 'chunk');
    return body;
  };
  const upload = (path: string, bytes: Uint8Array | string, key?: string): Promise<Response> =>
    server.fetch(`/files/file/local/${path}`, {
      method: 'POST',
      body: form(bytes),
      ...(key === undefined ? {} : { key }),
    });
  const list = async (path: string): Promise<FileSpec[]> =>
    (await (await server.fetch(`/files/list/${path}`)).json()) as FileSpec[];
  const read = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    server.fetch(`/files/file/${path}`, { headers });
  const post = (path: string, body?: unknown): Promise<Response> =>
    server.fetch(path, { method: 'POST', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const detail = async (response: Response): Promise<string> => ((await response.json()) as { detail: string }).detail;
  const inVolume = (...parts: string[]): string => join(server.dataFolder, ...parts);

  it('are uploaded with the folders above them, listed by full path, and read', async () => {
    const bytes = randomBytes(300_000);
    const response = await upload('/data/models/new/a%20b.bin', bytes);
    assert.equal(response.status, 200);
    assert.equal(await response.json(), true);
    const [entry] = await list('/data/models/new');
    assert.equal(entry?.path, '/data/models/new/a b.bin');
    assert.equal(entry.size, 300_000);
    assert.equal(entry.is_file, true);
    assert.ok(Math.abs(entry.updated_time * 1000 - Date.now()) < 60_000);
    assert.deepEqual(
      (await list('/data')).map(({ path, is_file }) => [path, is_file]),
      [['/data/models', false]],
    );
    const whole = await read('/data/models/new/a%20b.bin');
    assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes);
    assert.deepEqual(await readdir(inVolume('models/new')), ['a b.bin']);
  });

  it('are found under relative paths too, and an absent folder is empty', async () => {
    await upload('relative.txt', 'x');
    assert.equal(await (await read('/data/relative.txt')).text(), 'x');
    assert.equal(await (await read('relative.txt')).text(), 'x');
    assert.deepEqual(await list('/data/no/such'), []);
    assert.deepEqual(await list('/data/relative.txt'), []);
    assert.equal((await server.fetch('/files/list')).status, 200);
    assert.match(await detail(await read('/data/none')), /There is no \/data\/none/);
    assert.match(await detail(await read('/data/models')), /is a folder/);
  });

  it('are read in ranges', async () => {
    await upload('/data/range.txt', '0123456789');
    const part = await read('/data/range.txt', { range: 'bytes=2-4' });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), 'bytes 2-4/10');
    assert.equal(await part.text(), '234');
    const none = await read('/data/range.txt', { range: 'bytes=10-' });
    assert.equal(none.status, 416);
    assert.equal(none.headers.get('content-range'), 'bytes */10');
  });

  it('larger ones come in parts, joined by number, with the MD5 of the whole', async () => {
    const parts = [randomBytes(60_000), randomBytes(60_000), randomBytes(1)];
    const begun = await post('/files/file/multipart//data/deep/big.bin/initiate');
    const { upload_id: id } = (await begun.json()) as { upload_id: string };
    const listed: unknown[] = [];
    for (const number of [2, 3, 1]) {
      const response = await server.fetch(`/files/file/multipart//data/deep/big.bin/${id}/${number}`, {
        method: 'PUT',
        body: form(parts[number - 1]!),
      });
      listed.push(await response.json());
    }
    const done = await post(`/files/file/multipart//data/deep/big.bin/${id}/complete`, { parts: listed });
    const whole = Buffer.concat(parts);
    assert.deepEqual(await done.json(), { etag: createHash('md5').update(whole).digest('hex') });
    assert.deepEqual(await readFile(inVolume('deep/big.bin')), whole);
    const again = await post(`/files/file/multipart//data/deep/big.bin/${id}/complete`, { parts: listed });
    assert.equal(again.status, 404);
  });

  it('uploads in parts can be cancelled, and foreign or wrong ids are unknown', async () => {
    const begun = await post('/files/file/multipart//data/c.bin/initiate');
    const { upload_id: id } = (await begun.json()) as { upload_id: string };
    assert.equal((await post(`/files/file/multipart//data/c.bin/${id}/cancel`)).status, 200);
    for (const unknown of [id, '..', 'x']) {
      const response = await server.fetch(`/files/file/multipart//data/c.bin/${unknown}/1`, {
        method: 'PUT',
        body: form('x'),
      });
      assert.equal(response.status, 404, `${unknown} ${await response.text()}`);
    }
    assert.equal((await post('/files/file/multipart//data/c.bin/complete', { parts: [] })).status, 404);
  });

  it('are moved, also into folders that do not exist, and deleted with what is below', async () => {
    await upload('/data/from/a.txt', 'a');
    assert.equal((await post('/files/rename//data/from', { destination: '/data/to/here' })).status, 200);
    assert.equal(await (await read('/data/to/here/a.txt')).text(), 'a');
    assert.equal((await post('/files/rename//data/from', { destination: '/data/x' })).status, 404);
    assert.equal((await post('/files/rename//data/to', { destination: '/data/to/here/in' })).status, 422);
    assert.equal((await post('/files/rename//data/to', { destination: '/etc/x' })).status, 422);
    const removed = await server.fetch('/files/file//data/to', { method: 'DELETE' });
    assert.equal(removed.status, 200);
    assert.deepEqual(await list('/data/to'), []);
    assert.equal((await server.fetch('/files/file//data/to', { method: 'DELETE' })).status, 404);
    assert.equal((await server.fetch('/files/file//data', { method: 'DELETE' })).status, 422);
  });

  it('never lie outside, whatever the path says', async () => {
    const { port } = new URL(`http://${server.authority}`);
    const raw = async (target: string): Promise<string> => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.end(
        `GET ${target} HTTP/1.1\r\nhost: ${server.authority}\r\nauthorization: Key ${server.key}\r\nconnection: close\r\n\r\n`,
      );
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
      await once(socket, 'close');
      return answer;
    };
    for (const target of [
      '/files/file//etc/passwd',
      '/files/file//data/../../../etc/passwd',
      '/files/file/../../../etc/passwd',
      '/files/file/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
      '/files/file//data/..%2f..%2f..%2fetc%2fpasswd',
      '/files/file//data/x%00',
      '/files/file//data/%zz',
      '/files/list//',
      '/files/list//datax',
    ]) {
      assert.match(await raw(target), /^HTTP\/1.1 (404|422) /, target);
    }
  });

  it('are not reached through links that lead outside, and links inside are followed', async () => {
    await mkdir(inVolume('links/real'), { recursive: true });
    await writeFile(inVolume('links/real/inner.txt'), 'inner');
    const links: [string, string][] = [
      ['out', outside],
      ['up', '../../../..'],
      ['file', join(outside, 'secret')],
      ['self', 'self'],
      ['dangling', 'nowhere'],
      ['relative', 'real'],
      ['absolute', '/data/links/real'],
      ['toFile', 'real/inner.txt'],
      ['sneaky', `real/../../../../../..${outside}`],
    ];
    for (const [name, target] of links) await symlink(target, inVolume('links', name));
    for (const name of ['out/secret', 'file', 'self', 'dangling', 'sneaky/secret', 'up/etc/passwd']) {
      assert.equal((await read(`/data/links/${name}`)).status, 404, name);
    }
    for (const name of ['relative/inner.txt', 'absolute/inner.txt', 'toFile']) {
      assert.equal(await (await read(`/data/links/${name}`)).text(), 'inner', name);
    }
    const shown = Object.fromEntries((await list('/data/links')).map((entry) => [entry.name, entry]));
    for (const name of ['out', 'up', 'file', 'self', 'dangling', 'sneaky']) assert.equal(shown[name], undefined, name);
    assert.deepEqual([shown['relative']?.is_file, shown['toFile']?.size], [false, 5]);
    assert.deepEqual(await list('/data/links/out'), []);

    assert.equal((await upload('/data/links/out/planted', 'x')).status, 404);
    assert.equal((await post('/files/rename//data/links/toFile', { destination: '/data/links/out/x' })).status, 404);
    assert.equal((await upload('/data/links/file', 'mine')).status, 200);
    assert.equal((await server.fetch('/files/file//data/links', { method: 'DELETE' })).status, 200);
    assert.deepEqual(await readdir(outside), ['secret']);
    assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'secret');
  });

  it('pipes and folders are no files', async () => {
    execFileSync('mkfifo', [inVolume('pipe')]);
    assert.equal((await read('/data/pipe')).status, 422);
    await upload('/data/folder/x', 'x');
    assert.match(await detail(await upload('/data/folder', 'x')), /is a folder/);
    assert.equal((await upload('/data/folder/x/y', 'x')).status, 404);
    assert.equal((await upload('/data', 'x')).status, 422);
  });

  it('leave nothing of uploads that a dead server had begun', async () => {
    await upload('/data/half/whole.txt', 'x');
    const [old, young] = ['.lanner-upload-old', '.lanner-upload-young'];
    for (const name of [old, young]) await writeFile(inVolume('half', name), 'half');
    await utimes(inVolume('half', old), 1, 1);
    assert.deepEqual(
      (await list('/data/half')).map(({ name }) => name),
      ['whole.txt'],
    );
    assert.deepEqual((await readdir(inVolume('half'))).toSorted(), [young, 'whole.txt']);
  });

  it('names may be any bytes', async () => {
    const name = Buffer.from([0x66, 0xff, 0x2e, 0x74]);
    await writeFile(Buffer.concat([Buffer.from(`${inVolume('bytes')}-`), name]), 'odd');
    assert.equal(await (await read('/data/bytes-f%FF.t')).text(), 'odd');
    assert.equal((await upload('/data/%E4%BD%A0.txt', 'x')).status, 200);
    assert.ok((await list('/data')).some((entry) => entry.path === '/data/你.txt'));
    assert.equal((await server.fetch('/files/file//data/bytes-f%FF.t', { method: 'DELETE' })).status, 200);
  });

  it('can be fetched from a URL, redirects included', async () => {
    const web = createServer((request, response) => {
      if (request.url === '/go') response.writeHead(302, { location: '/file' }).end();
      else if (request.url === '/file') response.writeHead(200).end('from afar');
      else response.writeHead(500).end();
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    try {
      assert.equal((await post('/files/file/url//data/far.txt', { url: `${base}/go` })).status, 200);
      assert.equal(await (await read('/data/far.txt')).text(), 'from afar');
      assert.match(
        await detail(await post('/files/file/url//data/far.txt', { url: `${base}/broken?secret` })),
        /answers 500; nothing was stored/,
      );
      assert.equal((await post('/files/file/url//data/far.txt', { url: 'file:///etc/passwd' })).status, 422);
      assert.equal(await (await read('/data/far.txt')).text(), 'from afar');
    } finally {
      web.closeAllConnections();
      web.close();
    }
  });

  it('belong to one account, and writing needs another permission than reading', async () => {
    await upload('/data/mine.txt', 'mine');
    const bob = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    const foreign = await server.newKey({ preset: 'FULL' }, bob);
    assert.equal((await server.fetch('/files/file//data/mine.txt', { key: foreign })).status, 404);
    assert.deepEqual(await (await server.fetch('/files/list//data', { key: foreign })).json(), []);
    const reader = await server.newKey({ permissions: ['serverless:files:read'] });
    assert.equal((await server.fetch('/files/file//data/mine.txt', { key: reader })).status, 200);
    assert.equal((await upload('/data/mine.txt', 'x', reader)).status, 403);
  });

  it('come out of an archive, unless it is none or leads outside', async () => {
    const zip = await zipOf({ 'a.txt': 'one', 'deep/b.txt': 'two'.repeat(10_000), 'deep/empty': '' });
    const unzip = (bytes: Uint8Array | string): Promise<Response> =>
      server.fetch('/files/file/local/unpacked?unzip=true', { method: 'POST', body: form(bytes) });
    assert.equal((await unzip(zip)).status, 200);
    assert.equal(await readFile(inVolume('unpacked/a.txt'), 'utf8'), 'one');
    assert.equal(await readFile(inVolume('unpacked/deep/b.txt'), 'utf8'), 'two'.repeat(10_000));
    assert.match(await detail(await unzip('no archive')), /no ZIP archive/);
    assert.equal((await unzip(zip.subarray(0, zip.length - 30))).status, 422);
    const broken = Buffer.from(zip);
    broken.fill(0, 40, 60);
    assert.equal((await unzip(broken)).status, 422);
    for (const name of ['../out.txt', '/data/../../out.txt', 'x/../../../out.txt']) {
      assert.equal((await unzip(await zipOf({ [name]: 'x' }))).status, 422, name);
    }
    assert.ok(
      !(await readdir(join(server.dataFolder, '..'), { recursive: true })).some((name) => name.includes('out.txt')),
    );
  });

  it('know the hash that a synchronised folder carries', async () => {
    await upload('/data/sync/.fal_hash', 'abc123');
    assert.equal(await (await post('/files/dir/check_hash/sync', { hash: 'abc123' })).json(), true);
    assert.equal(await (await post('/files/dir/check_hash/sync', { hash: 'other' })).json(), false);
    assert.equal(await (await post('/files/dir/check_hash/none', { hash: 'abc123' })).json(), false);
  });
});
