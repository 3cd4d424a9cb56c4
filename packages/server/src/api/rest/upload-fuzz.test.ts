import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

const boundary = 'b0undary';
const goodForm = Buffer.from(
  `--${boundary}\r\ncontent-disposition: form-data; name="file_upload"; filename="a"\r\n` +
    `content-type: application/octet-stream\r\n\r\nsome bytes\r\n--${boundary}--\r\n`,
);

/** A good form with some of it cut, doubled, overwritten or exchanged. */
const brokenForms = fc
  .array(fc.tuple(fc.constantFrom('cut', 'double', 'noise'), fc.nat(), fc.nat(20), fc.uint8Array({ maxLength: 20 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) =>
    changes.reduce((form, [kind, where, length, noise]) => {
      const at = where % (form.length + 1);
      const middle =
        kind === 'cut'
          ? []
          : kind === 'noise'
            ? [noise]
            : [form.subarray(at, at + length), form.subarray(at, at + length)];
      return Buffer.concat([form.subarray(0, at), ...middle, form.subarray(at + length)]);
    }, goodForm),
  );

describe('uploads of whatever kind', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  /** Answers, and does not blame itself. */
  const send = async (method: string, path: string, body: string | Uint8Array, type: string): Promise<number> => {
    const response = await server.fetch(path, {
      method,
      body: body as Uint8Array<ArrayBuffer>,
      headers: { 'content-type': type },
    });
    await response.text();
    assert.ok(response.status < 500, `${method} ${path}: ${response.status}`);
    return response.status;
  };
  const types = fc.constantFrom(
    `multipart/form-data; boundary=${boundary}`,
    'multipart/form-data',
    'multipart/form-data; boundary=""',
    `multipart/mixed; boundary=${boundary}`,
    'application/json',
  );

  it('as a form are stored whole or refused, and leave nothing half', async () => {
    const form = fc.oneof(brokenForms, fc.constant(goodForm), fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(form, types, fc.boolean(), async (body, type, isArchive) => {
        await send('POST', `/files/file/local//data/fuzz/file${isArchive ? '?unzip=true' : ''}`, body, type);
        const left = await readdir(server.dataFolder, { recursive: true }).catch(() => []);
        assert.deepEqual(
          left.filter((name) => name.includes('.lanner-upload-')),
          [],
        );
      }),
      { numRuns: 80 },
    );
  });

  it('as lists of parts and settings are refused as the caller’s fault', async () => {
    const { fileUrl, uploadUrl } = await (async () => {
      const response = await server.fetch('/storage/upload/initiate-multipart', { method: 'POST', body: '{}' });
      const body = (await response.json()) as { file_url: string; upload_url: string };
      return { fileUrl: body.file_url, uploadUrl: new URL(body.upload_url).pathname };
    })();
    const part = fc.record(
      {
        partNumber: fc.oneof(fc.integer(), fc.string()),
        part_number: fc.integer(),
        etag: fc.oneof(fc.string(), fc.constant(null)),
      },
      { requiredKeys: [] },
    );
    const json = fc.oneof(
      fc.json(),
      fc.string(),
      fc.array(part, { maxLength: 5 }).map((parts) => JSON.stringify({ parts })),
      fc
        .anything()
        .map((value) => JSON.stringify({ default: value, rules: [value], expiration_duration_seconds: value }) ?? ''),
    );
    const url = encodeURIComponent(fileUrl);
    await fc.assert(
      fc.asyncProperty(json, async (body) => {
        assert.notEqual(await send('POST', `${uploadUrl}/complete`, body, 'application/json'), 200);
        await send('PUT', `/storage/files/acl?url=${url}`, body, 'application/json');
        await send('PUT', '/storage/settings', body, 'application/json');
        await send('POST', '/files/rename//data/x', body, 'application/json');
        await send(
          'POST',
          '/files/file/multipart//data/x/00000000-0000-0000-0000-000000000000/complete',
          body,
          'application/json',
        );
      }),
      { numRuns: 40 },
    );
  });
});
