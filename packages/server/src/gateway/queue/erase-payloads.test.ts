import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { removeOutputs } from '../../files/remove-outputs.ts';
import type { StoredObject } from '../../files/object-store.ts';
import type { EndedRequest } from '../../queue/request-store.ts';
import { erasePayloads, findLinks } from './erase-payloads.ts';

const idOf = (name: string): string => name.padEnd(22, '_');
const linkTo = (name: string): string => `https://localhost:8443/cdn/files/b/${idOf(name)}/out.png`;

describe('erasing the payloads of a request', () => {
  const object = (accountId: string, createdAtMs: number) => ({ accountId, createdAtMs }) as StoredObject;
  const erase = async (accountId: string, result: unknown, more: Partial<EndedRequest> = {}) => {
    const files = new Map([
      [idOf('made'), object('owner', 150)],
      [idOf('stuck'), object('owner', 160)],
      [idOf('sample'), object('owner', 20)],
      [idOf('later'), object('owner', 300)],
      [idOf('foreign'), object('stranger', 150)],
    ]);
    const deleted: string[] = [];
    const bytes = Buffer.from(typeof result === 'string' ? result : JSON.stringify(result));
    const ended = {
      ...{ accountId: 'owner', callerAccountId: 'caller', submittedAtMs: 100, endedAtMs: 200, payloads: 'kept' },
      ...{ body: { bytes, blob: null, sizeBytes: bytes.length } },
      ...more,
    } as EndedRequest;
    const answer = await erasePayloads(
      {
        requests: { findEnded: async () => ended },
        payloads: { deletePayloads: async () => deleted.push('payloads') > 0 },
        blobs: { open: () => assert.fail() },
        removeOutputs: (links, scope) =>
          removeOutputs(
            {
              find: async (id) => files.get(id) ?? null,
              remove: async (found) => {
                if (found === files.get(idOf('stuck'))) throw new Error('busy');
                deleted.push([...files].find(([, each]) => each === found)![0]);
              },
            },
            links,
            scope,
          ),
      },
      accountId,
      'r',
    );
    return { answer, deleted };
  };

  it('takes the files it made along, and no others that the result names', async () => {
    const named = ['made', 'stuck', 'sample', 'later', 'foreign', 'unknown'].map(linkTo);
    const { answer, deleted } = await erase('caller', {
      images: named.map((url) => ({ url })),
      note: 'https://x.example/',
    });
    assert.deepEqual(answer, [
      { link: linkTo('made'), exception: null },
      { link: linkTo('stuck'), exception: 'The file could not be deleted. Try again.' },
    ]);
    assert.deepEqual(deleted, [idOf('made'), 'payloads']);
  });

  it('is for the caller alone; for an anonymous one the owner', async () => {
    const result = { url: linkTo('made') };
    assert.deepEqual(await erase('owner', result), { answer: null, deleted: [] });
    assert.deepEqual((await erase('owner', result, { callerAccountId: null })).deleted, [idOf('made'), 'payloads']);
  });

  it('does without files where the result is no JSON, or gone', async () => {
    for (const more of [{}, { payloads: 'deleted' as const, body: { bytes: null, blob: null, sizeBytes: 9 } }]) {
      assert.deepEqual(await erase('caller', 'no json', more), { answer: [], deleted: ['payloads'] });
    }
  });

  it('finds addresses anywhere, each once, and does not drown in deep ones', () => {
    const url = 'https://a.example/1';
    assert.deepEqual(findLinks({ a: [url, { b: url }, 'http://a b', 7, null], c: 'see https://x.example' }), [url]);
    let deep: unknown = url;
    for (let depth = 0; depth < 5_000; depth += 1) deep = [deep];
    assert.deepEqual(findLinks(deep), []);
  });
});
