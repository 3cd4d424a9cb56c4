import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { createSettings } from '../resolve/settings.ts';
import { HttpClient } from '../transport/http-client.ts';
import { createNodeTransport } from '../transport/node-transport.ts';
import { FileUploader, type AppFile } from './upload-files.ts';

const megabyte = 1024 * 1024;

describe('uploads of app files', () => {
  let folder: string;
  let uploader: FileUploader;
  let http: HttpClient;
  const log: string[] = [];
  let missing: string[] = [];
  /** Answers instead of the usual ones, by `METHOD path`. */
  let special: (request: string, response: ServerResponse) => boolean = () => false;
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      const request = `${incoming.method} ${incoming.url}`;
      const part = body.indexOf('\r\n\r\n');
      log.push(
        incoming.method === 'PUT'
          ? `${request} ${body.length - part - 4 - body.toString('latin1').match(/\r\n--lanner-[^\r]*--\r\n$/)![0].length}`
          : request,
      );
      if (special(request, response)) return;
      const answer = request.endsWith('missing_hashes')
        ? missing
        : request.endsWith('initiate')
          ? { upload_id: 'u1' }
          : { part_number: Number(request.split('/').at(-1)), etag: 'e' };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanner-upload-'));
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const settings = createSettings({ host, apiKey: 'a:b' }, { ISOLATE_TEST_MODE: '1' });
    http = new HttpClient(settings, () => Promise.resolve(undefined), createNodeTransport(settings.environment));
    uploader = new FileUploader(settings, http);
  });
  after(async () => {
    http.close();
    rmSync(folder, { recursive: true, force: true });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  afterEach(() => {
    log.length = 0;
    special = () => false;
  });
  const file = (name: string, size: number, claimed = size): AppFile => {
    const path = join(folder, name);
    writeFileSync(path, Buffer.alloc(size, 1));
    return { path, relativePath: name, size: String(claimed), mtime: '1.5', mode: '33188', hash: name };
  };
  const code = (wanted: string) => (error: unknown) => isClientError(error) && error.code === wanted;

  test('send only what is missing, in parts of 10 MiB, an empty file as one empty part', async () => {
    const files = [file('known', 5), file('large', 25 * megabyte), file('empty', 0)];
    missing = ['large', 'empty'];
    const told: number[][] = [];
    await uploader.upload(files, undefined, (...numbers) => told.push(numbers));
    const puts = log.filter((line) => line.startsWith('PUT')).sort();
    assert.deepEqual(puts, [
      'PUT /files/app/multipart/empty/u1/1 0',
      `PUT /files/app/multipart/large/u1/1 ${10 * megabyte}`,
      `PUT /files/app/multipart/large/u1/2 ${10 * megabyte}`,
      `PUT /files/app/multipart/large/u1/3 ${5 * megabyte}`,
    ]);
    assert.equal(log.filter((line) => line.endsWith('/complete')).length, 2);
    assert.equal(
      log.some((line) => line.includes('known')),
      false,
    );
    assert.deepEqual(told[0], [0, 25 * megabyte, 2]);
    assert.deepEqual(told.at(-1), [25 * megabyte, 25 * megabyte, 2]);
  });

  test('count a file that somebody else brought as done', async () => {
    missing = ['same'];
    special = (request, response) => {
      if (!request.endsWith('initiate')) return false;
      response.writeHead(409).end('{}');
      return true;
    };
    await uploader.upload([file('same', 3)], undefined, () => undefined);
    assert.deepEqual(log, ['POST /files/missing_hashes', 'POST /files/app/multipart/same/initiate']);
  });

  test('repeat a part after a passing failure and give up on a lasting one, cancelling the upload', async () => {
    missing = ['part'];
    let tries = 0;
    special = (request, response) => {
      if (!request.startsWith('PUT')) return false;
      if (++tries > 1) return false;
      response.writeHead(503).end('{"detail":"soon"}');
      return true;
    };
    await uploader.upload([file('part', 3)], undefined, () => undefined);
    assert.equal(tries, 2);
    special = (request, response) => {
      if (!request.startsWith('PUT')) return false;
      response.writeHead(400).end('{"detail":"never"}');
      return true;
    };
    await assert.rejects(
      uploader.upload([file('part', 3)], undefined, () => undefined),
      code('rejected'),
    );
    assert.ok(log.includes('POST /files/app/multipart/part/u1/cancel'));
  });

  test('tell a file that shrank or went away', async () => {
    missing = ['short', 'gone'];
    await assert.rejects(
      uploader.upload([file('short', 3, 9)], undefined, () => undefined),
      code('upload_failed'),
    );
    const gone = file('gone', 1);
    rmSync(gone.path);
    await assert.rejects(
      uploader.upload([gone], undefined, () => undefined),
      code('upload_failed'),
    );
  });

  test('end with their signal', async () => {
    missing = ['stopped'];
    const stop = new AbortController();
    special = (request) => {
      if (!request.startsWith('PUT')) return false;
      stop.abort();
      return true;
    };
    await assert.rejects(
      uploader.upload([file('stopped', 3)], stop.signal, () => undefined),
      code('cancelled'),
    );
  });
});
