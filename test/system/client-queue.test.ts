import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ServerlessClient } from '@lanner/client';
import { clientOf } from './client-of.ts';
import { startPlatform, type Platform } from './platform.ts';

describe('the TypeScript client on the queue', () => {
  let platform: Platform;
  let client: ServerlessClient;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/queued.py::Queued']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    client = await clientOf(platform);
  });
  after(async () => {
    await client[Symbol.asyncDispose]();
    await platform.stop();
  });

  it('subscribes: submits, follows the status, returns the result', async () => {
    const seen = new Set<string>();
    const { data, requestId } = await client.subscribe<{ name: string; id: string }>('acme/queued', {
      input: { name: 'from typescript', seconds: 0.3 },
      pollIntervalMs: 50,
      onStatus: ({ status }) => seen.add(status),
    });
    assert.equal(data.name, 'from typescript');
    assert.equal(data.id, requestId, 'the app saw the id that the caller has');
    assert.ok(seen.has('COMPLETED'));
  });

  it('finds a request again by its id, and cancels one that runs', async () => {
    const submitted = await client.submit('acme/queued', { input: { name: 'again' } });
    let status = await client.status('acme/queued', submitted.requestId);
    while (status.status !== 'COMPLETED') status = await client.status('acme/queued', submitted.requestId);
    const { data } = await client.result<{ name: string }>('acme/queued', submitted.requestId);
    assert.equal(data.name, 'again');

    const long = await client.submit('acme/queued', { path: '/long', input: {} });
    while ((await long.status()).status !== 'IN_PROGRESS');
    await long.cancel();
    while ((await long.status()).status !== 'COMPLETED');
    await assert.rejects(long.result(), /cancelled by the app/);
  });

  it('reads and empties the line', async () => {
    const { size } = await client.queue.size('queued');
    assert.equal(size, 0);
    await client.queue.flush('queued');
  });
});
