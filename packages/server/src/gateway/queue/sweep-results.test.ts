import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { openTemporaryDatabase } from '../../db/temporary-database.ts';
import { createVirtualClock } from '../../lib/virtual-clock.ts';
import { createLogger } from '../../observe/logger.ts';
import { createSqlitePayloadStore } from '../../queue/sqlite-payload-store.ts';
import { createSqliteRequestStore } from '../../queue/sqlite-request-store.ts';
import { createSqliteDeliveryStore } from '../../webhooks/sqlite-delivery-store.ts';
import { sweepResults } from './sweep-results.ts';

const minuteMs = 60_000;

it('what is over goes in its time: brief payloads, kept ones, whole requests, and the blobs of all', async (t) => {
  const database = await openTemporaryDatabase();
  const clock = createVirtualClock();
  const stop = new AbortController();
  const deleted: string[] = [];
  const store = createSqliteRequestStore(database);
  const ended = async (options: object, blob: string): Promise<string> => {
    const requestId = randomUUID();
    const number = await store.add({
      ...{ requestId, accountId: 'a', appId: 'a/b', targetId: 't', callerAccountId: 'a', priority: 'normal' },
      ...{ startDeadlineMs: null, options, submittedAtMs: clock.nowMs() },
      input: { method: 'POST', path: '/', headers: [], body: { bytes: null, blob: `${blob}-in`, sizeBytes: 1 } },
    });
    await store.finishWaiting(number, {
      ...{ status: 200, headers: {}, error: null, errorType: null, inferenceMs: 1, endedAtMs: clock.nowMs() },
      body: { bytes: null, blob: `${blob}-out`, sizeBytes: 1 },
    });
    return requestId;
  };
  const brief = await ended({ discardIo: true }, 'brief');
  const kept = await ended({ webhook: 'https://hook.example/' }, 'kept');
  const sweeping = sweepResults(
    {
      ...{ store, payloads: createSqlitePayloadStore(database), deliveries: createSqliteDeliveryStore(database) },
      blobs: { delete: async (name) => void deleted.push(name) },
      ...{ clock, log: createLogger({ level: 'silent' }) },
      retention: { briefMs: 2 * minuteMs, payloadsMs: 4 * minuteMs, resultsMs: 6 * minuteMs },
    },
    stop.signal,
  );
  t.after(async () => {
    stop.abort();
    await sweeping;
    await database.close();
  });
  const payloadsOf = async (requestId: string) => (await store.findEnded(requestId))?.payloads ?? 'unknown';
  const states = async () => [await payloadsOf(brief), await payloadsOf(kept), deleted.length];

  await clock.settle();
  assert.deepEqual(await states(), ['brief', 'kept', 1]);
  assert.deepEqual(deleted, ['brief-in'], 'the input is of no use after the end');
  await clock.advance(3 * minuteMs);
  assert.deepEqual(await states(), ['deleted', 'kept', 2]);
  await clock.advance(2 * minuteMs);
  assert.deepEqual(await states(), ['deleted', 'deleted', 4]);
  await clock.advance(2 * minuteMs);
  assert.deepEqual(await states(), ['unknown', 'unknown', 4]);
});
