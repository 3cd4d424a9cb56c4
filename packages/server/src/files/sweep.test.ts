import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { takeIn } from './intake.ts';
import { startFileServer } from './testing/file-server.ts';

describe('what is over is removed', () => {
  it('also what a crash left behind, and nothing that is being written', async () => {
    const server = await startFileServer();
    try {
      const put = (): Promise<Response> =>
        server.fetch(`${server.cdn}/files/upload`, {
          method: 'POST',
          body: 'kept',
          headers: { authorization: server.alice.key },
        });
      const { access_url: kept } = (await (await put()).json()) as { access_url: string };
      // Noted and written, but the server died before the object was there.
      const blob = 'ab'.repeat(32);
      await server.store.noteLeftover(blob);
      let release = (): void => undefined;
      const slow = new Promise<void>((resolve) => (release = resolve));
      const uploading = server.fetch(`${server.cdn}/files/upload`, {
        method: 'POST',
        body: new ReadableStream({
          async pull(controller) {
            controller.enqueue(Buffer.from('slow'));
            await slow;
            controller.close();
          },
        }),
        headers: { authorization: server.alice.key },
        duplex: 'half',
      } as RequestInit);
      while ((await server.store.listLeftovers(0, 10)).length < 2)
        await new Promise((resolve) => setImmediate(resolve));
      await server.sweep();
      assert.equal((await server.store.listLeftovers(0, 10)).length, 1, 'the one that is being written');
      release();
      const { access_url: written } = (await (await uploading).json()) as { access_url: string };
      await server.sweep();
      assert.deepEqual(await server.store.listLeftovers(0, 10), []);
      assert.equal(await (await server.fetch(written)).text(), 'slow');
      assert.equal(await (await server.fetch(kept)).text(), 'kept');
    } finally {
      await server.stop();
    }
  });

  it('many things in small steps', async () => {
    const server = await startFileServer();
    try {
      const facts = { accountId: server.alice.accountId, fileName: 'x', contentType: 'text/plain', lifecycle: {} };
      await Promise.all(Array.from({ length: 250 }, () => server.files.storage.open(server.origin, facts)));
      assert.equal(await server.store.countOpen(server.alice.accountId), 250);
      await server.clock.advance(7 * 86_400_000);
      await server.sweep();
      assert.equal(await server.store.countOpen(server.alice.accountId), 0);
      await access(join(server.folder, 'objects'));
      assert.deepEqual(await readdir(join(server.folder, 'objects/tmp')), []);
    } finally {
      await server.stop();
    }
    assert.equal(server.clock.pendingTimers, 0);
  });
});

describe('a server that is started again', () => {
  it('has the files of the one before, and goes on with uploads in parts', async () => {
    const server = await startFileServer();
    try {
      const facts = { accountId: server.alice.accountId, fileName: 'x', contentType: 'text/plain', lifecycle: {} };
      const { fileUrl, uploadUrl } = await server.files.storage.open(server.origin, facts);
      const put = (number: number, body: string): Promise<Response> =>
        server.fetch(`${uploadUrl}/${number}`, { method: 'PUT', body });
      await put(1, 'before, ');
      await server.restart();
      await put(2, 'after');
      const parts = '{"parts":[{"partNumber":1},{"partNumber":2}]}';
      assert.equal((await server.fetch(`${uploadUrl}/complete`, { method: 'POST', body: parts })).status, 200);
      await server.restart();
      assert.equal(await (await server.fetch(fileUrl)).text(), 'before, after');
    } finally {
      await server.stop();
    }
  });
});

describe('bytes on their way to the disk', () => {
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('abc');
  };
  const drain = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const _ of source);
  };

  it('are counted and hashed', async () => {
    assert.deepEqual(await takeIn({ bytes: bytes(), announcedBytes: 3 }, { bytes: 3, what: 'x' }, drain), {
      sizeBytes: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
  });

  it('are the same in whatever chunks they come', async () => {
    const whole = randomBytes(1_500_000);
    const sizes = [1, 70_000, 300_000, 262_144, 5, 262_143, 600_000];
    const chunks = async function* (): AsyncGenerator<Uint8Array> {
      const reused = Buffer.alloc(600_000);
      for (let at = 0, turn = 0; at < whole.length; turn += 1) {
        const size = Math.min(sizes[turn % sizes.length]!, whole.length - at);
        whole.copy(reused, 0, at, at + size);
        yield reused.subarray(0, size);
        at += size;
      }
    };
    const written: Buffer[] = [];
    const { sizeBytes, sha256 } = await takeIn(
      { bytes: chunks(), announcedBytes: null },
      { bytes: 2_000_000, what: 'x' },
      async (source) => {
        for await (const piece of source) written.push(Buffer.from(piece));
      },
    );
    assert.ok(whole.equals(Buffer.concat(written)));
    assert.equal(sizeBytes, whole.length);
    assert.equal(sha256, createHash('sha256').update(whole).digest('hex'));
  });

  it('that stop too early, are too many, or meet a full disk are told apart', async () => {
    const limit = { bytes: 10, what: 'x' };
    const coded = (code: string) => (error: unknown) => error instanceof LannerError && error.code === code;
    await assert.rejects(takeIn({ bytes: bytes(), announcedBytes: 4 }, limit, drain), coded('client_disconnected'));
    await assert.rejects(takeIn({ bytes: bytes(), announcedBytes: 11 }, limit, drain), coded('payload_too_large'));
    await assert.rejects(
      takeIn({ bytes: bytes(), announcedBytes: null }, { bytes: 2, what: 'x' }, drain),
      coded('payload_too_large'),
    );
    const full = (): Promise<void> => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
    await assert.rejects(takeIn({ bytes: bytes(), announcedBytes: null }, limit, full), coded('storage_full'));
    const broken = new Error('broken');
    await assert.rejects(
      takeIn({ bytes: bytes(), announcedBytes: null }, limit, () => Promise.reject(broken)),
      broken,
    );
  });
});
