import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { contentsOf, runNode } from '../../workflows/testing/sample-contents.ts';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';

describe('REST: workflows', () => {
  let server: ApiServer;
  let bobKey: string;
  before(async () => {
    server = await startApiServer();
    const bob = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    bobKey = await server.newKey({ preset: 'FULL' }, bob);
  });
  after(() => server.stop());

  const contents = contentsOf({ a: runNode('a', '$input.x') }, '$a.y');
  const call = async (method: string, path: string, body?: object, key?: string) => {
    const response = await server.fetch(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(key === undefined ? {} : { key }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as Record<string, unknown> };
  };
  const publish = (name: string, given: object = {}) =>
    call('POST', '/workflows/', { name, title: 'A flow', contents, is_public: false, ...given });

  it('publishes, reads, changes and deletes with the statuses that the client expects', async () => {
    const created = await publish('flow');
    assert.equal(created.status, 201, JSON.stringify(created.body));
    assert.partialDeepStrictEqual(created.body, {
      ...{ name: 'flow', title: 'A flow', user_nickname: 'alice', user_id: server.account.accountId },
      ...{ is_public: false, contents },
    });
    assert.match(String(created.body['created_at']), /^\d{4}-.*\+00:00$/);
    assert.deepEqual(await call('GET', '/workflows/alice/flow'), { status: 200, body: created.body });
    const changed = await call('PATCH', '/workflows/alice/flow', { title: 'New' });
    assert.deepEqual(changed, { status: 201, body: { ...created.body, title: 'New' } });
    assert.deepEqual(await call('DELETE', '/workflows/alice/flow'), { status: 204, body: null });
    assert.equal((await call('GET', '/workflows/alice/flow')).status, 404);
    assert.equal((await call('DELETE', '/workflows/alice/flow')).status, 404);
  });

  it('lists pages of the own ones', async () => {
    for (const name of ['one', 'two', 'three']) await publish(name);
    const { body } = await call('GET', '/workflows/?page=2&size=2');
    assert.partialDeepStrictEqual(body, { total: 3, page: 2, size: 2, pages: 2 });
    assert.equal((body['items'] as unknown[]).length, 1);
    assert.deepEqual(Object.keys((body['items'] as object[])[0]!).toSorted(), [
      ...['created_at', 'name', 'title', 'user_id', 'user_nickname'],
    ]);
    assert.deepEqual((await call('GET', '/workflows?page=1', undefined, bobKey)).body['items'], []);
    assert.equal((await call('GET', '/workflows/?size=1000')).status, 422);
  });

  it('says everything that is wrong with a definition, as a validation error', async () => {
    const { status, body } = await publish('broken', { contents: { ...contents, output: { a: '$b' } } });
    assert.equal(status, 422);
    assert.deepEqual(body['detail'], [
      {
        loc: ['body', 'contents', 'output'],
        msg: '"$b" refers to a node "b", which there is not.',
        type: 'value_error',
      },
    ]);
    assert.equal((await publish('a/b')).status, 422);
    assert.equal((await publish('..')).status, 422);
    assert.equal((await call('POST', '/workflows/', { name: 'x', title: 'x', is_public: true })).status, 422);
    assert.equal((await publish('one')).status, 409);
  });

  it('hides private ones of other accounts, and lets nobody change what is not theirs', async () => {
    await publish('secret');
    await publish('open', { is_public: true });
    assert.equal((await call('GET', '/workflows/alice/secret', undefined, bobKey)).status, 404);
    assert.equal((await call('PATCH', '/workflows/alice/secret', { title: 'x' }, bobKey)).status, 404);
    assert.equal((await call('DELETE', '/workflows/alice/secret', undefined, bobKey)).status, 404);
    assert.equal((await call('GET', '/workflows/alice/open', undefined, bobKey)).status, 200);
    assert.equal((await call('PATCH', '/workflows/alice/open', { title: 'x' }, bobKey)).status, 403);
    assert.equal((await call('DELETE', '/workflows/alice/open', undefined, bobKey)).status, 403);
    assert.equal((await call('GET', '/workflows/alice/open')).body['title'], 'A flow');
  });

  it('keeps graphs for ComfyUI beside them', async () => {
    const workflow = { prompt: { '1': { class_type: 'KSampler' } }, fal_inputs: {} };
    const created = await call('POST', '/comfy/', { name: 'one', title: 'Comfy', workflow, is_public: false });
    assert.equal(created.status, 201);
    assert.deepEqual(created.body['workflow'], workflow);
    assert.deepEqual((await call('GET', '/comfy/alice/one')).body, created.body);
    assert.equal((await call('POST', '/comfy/', { name: 'two', title: 'x', workflow: {} })).status, 422);
  });
});
