import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { it } from 'node:test';
import { createEnvironmentStore } from './environment-store.ts';

it('after a crash the finished trees and the caches are left, and what is known of them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-environment-store-'));
  try {
    const store = createEnvironmentStore(folder);
    const finished = await store.prepare('acct', 'one', undefined);
    const cutOff = await store.prepare('acct', 'two', undefined);
    for (const { tree } of [finished, cutOff]) await mkdir(tree);
    const tree = {
      accountId: 'acct',
      environmentId: 'one',
      path: finished.tree,
      basePython: undefined,
      pythonVersion: '3.11.7',
    };
    assert.equal(await store.finish(tree), undefined);
    const next = createEnvironmentStore(folder);
    await next.removePartialTrees();
    assert.deepEqual((await readdir(join(folder, 'acct/trees'))).toSorted(), [
      '.conda',
      '.uv-cache',
      basename(finished.tree),
    ]);
    assert.deepEqual(await readdir(join(folder, 'acct')), ['index', 'trees']);
    assert.deepEqual(await next.find('acct', 'one'), tree);
    assert.equal(await next.find('acct', 'two'), undefined);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
