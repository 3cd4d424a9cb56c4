import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import type { AnyRequest } from '../../ports/route.ts';
import { readUploadedPart } from './uploaded-part.ts';

const form = (content: string): AnyRequest =>
  Object.assign(Readable.from([Buffer.from(content)]), {
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
  }) as unknown as AnyRequest;

const head = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="a"\r\n\r\n';

describe('the file of a multipart form', () => {
  it('is refused only when the store has cleared away what it began', async () => {
    const clearing = Promise.withResolvers<void>();
    const cleared = Promise.withResolvers<never>();
    let isOver = false;
    const outcome = readUploadedPart(form(`${head}half`), async (bytes) => {
      await once(bytes.resume(), 'end').catch(() => undefined);
      clearing.resolve();
      return cleared.promise;
    }).finally(() => (isOver = true));
    outcome.catch(() => undefined);
    await clearing.promise;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver, false);
    cleared.reject(new Error('stopped'));
    await assert.rejects(outcome, (error) => isLannerError(error) && error.code === 'bad_request');
  });

  it('is what the store answers when the form is whole', async () => {
    const text = readUploadedPart(form(`${head}whole\r\n--b--\r\n`), async (bytes) =>
      Buffer.concat(await bytes.toArray()).toString(),
    );
    assert.equal(await text, 'whole');
  });
});
