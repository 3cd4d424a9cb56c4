import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import type { EndedRequest } from '../queue/request-store.ts';
import { largestPayloadBytes, toWebhookBody } from './webhook-body.ts';

const delivery = { requestId: 'r-1', gatewayRequestId: 'g-1' };
const blobs = { open: async (name: string) => Readable.from([Buffer.from('{"from":'), Buffer.from(`"${name}"}`)]) };

function anEnd(body: string | Uint8Array, more: Partial<EndedRequest> = {}): EndedRequest {
  const bytes = Buffer.from(body);
  const facts = { status: 200, payloads: 'kept', body: { bytes, blob: null, sizeBytes: bytes.length } };
  return { ...facts, ...more } as EndedRequest;
}

async function textOf(result: EndedRequest | null): Promise<string> {
  const body = await toWebhookBody(delivery, result, blobs);
  const opened = body.open();
  const bytes = opened instanceof Uint8Array ? Buffer.from(opened) : await buffer(opened);
  assert.equal(bytes.length, body.sizeBytes);
  assert.equal(createHash('sha256').update(bytes).digest('hex'), body.sha256);
  return bytes.toString();
}

describe('the body of a webhook', () => {
  it('holds the result byte by byte as the app wrote it', async () => {
    assert.equal(
      await textOf(anEnd('{ "big": 12345678901234567890, "é": 1.0 }')),
      '{"request_id":"r-1","gateway_request_id":"g-1","status":"OK","payload":{ "big": 12345678901234567890, "é": 1.0 }}',
    );
    assert.match(await textOf(anEnd('"just text"')), /"payload":"just text"}$/);
    assert.match(await textOf(anEnd('null')), /"payload":null}$/);
  });

  it('names the status of anything but 2xx, with the error body as payload', async () => {
    const text = await textOf(anEnd('{"detail":[{"msg":"no"}]}', { status: 422 }));
    assert.deepEqual(JSON.parse(text), {
      request_id: 'r-1',
      gateway_request_id: 'g-1',
      status: 'ERROR',
      payload: { detail: [{ msg: 'no' }] },
      error: 'Invalid status code: 422',
    });
  });

  it('says why there is no payload: not JSON, not UTF-8, empty, too large, deleted, gone', async () => {
    const large = { body: { bytes: null, blob: 'b', sizeBytes: largestPayloadBytes + 1 } };
    const ends: [EndedRequest | null, RegExp][] = [
      [anEnd('<html>'), /not JSON/],
      [anEnd('{"a": NaN}'), /not JSON/],
      [anEnd(Buffer.from([0x22, 0xff, 0x22])), /not JSON/],
      [anEnd(''), /not JSON/],
      [anEnd('', large), /4194305 bytes/],
      [anEnd('', { payloads: 'deleted' }), /deleted/],
      [null, /deleted/],
    ];
    for (const [end, why] of ends) {
      const told = JSON.parse(await textOf(end)) as { payload: null; payload_error: string; status: string };
      assert.equal(told.payload, null);
      assert.match(told.payload_error, why);
      assert.equal(told.status, end === null ? 'ERROR' : 'OK');
    }
  });

  it('reads a large result from its blob, again for every attempt', async () => {
    const result = anEnd('', { body: { bytes: null, blob: 'blob-1', sizeBytes: 17 } });
    const body = await toWebhookBody(delivery, result, blobs);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const text = (await buffer(body.open() as AsyncIterable<Uint8Array>)).toString();
      assert.match(text, /"payload":{"from":"blob-1"}}$/);
      assert.equal(text.length, body.sizeBytes);
    }
  });
});
