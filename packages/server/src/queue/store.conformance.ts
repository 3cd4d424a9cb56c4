import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { NewRequest, RequestResult, RequestStore } from './request-store.ts';

/** What every engine's store of requests has to do. Call it in the engine's test file. */
export function describeRequestStore(
  engine: string,
  open: () => Promise<{ store: RequestStore; close(): Promise<void> }>,
): void {
  describe(`request store on ${engine}`, () => {
    let store: RequestStore;
    let close: () => Promise<void>;
    beforeEach(async () => ({ store, close } = await open()));
    afterEach(() => close());

    const claim = (lease: string) => ({ lease, runnerId: 'runner', generation: 'boot', atMs: 50 });

    it('gives back what was added, in order, and its input', async () => {
      const first = aRequest({ priority: 'low', startDeadlineMs: 900, options: { hint: 'h', spent: { timeout: 1 } } });
      const numbers = await Promise.all([store.add(first), store.add(aRequest())]);
      assert.ok(numbers[0]! < numbers[1]!);
      const live = await store.listLive(0, 10);
      assert.deepEqual(
        live.map(({ number }) => number),
        numbers,
      );
      const { input: _, ...facts } = first;
      assert.deepEqual(live[0], {
        ...facts,
        number: numbers[0],
        state: 'waiting',
        lease: null,
        runnerId: null,
        generation: null,
        attempts: 0,
        startedAtMs: null,
        notBeforeMs: 0,
        cancelRequested: false,
      });
      const input = (await store.readInput(numbers[0]!))!;
      assert.deepEqual(
        { ...input, body: Buffer.from(input.body.bytes!).toString() },
        { ...first.input, body: '{"a":1}' },
      );
      assert.deepEqual((await store.listLive(numbers[0]!, 10)).length, 1);
      assert.equal(await store.readInput(999), null);
    });

    it('lets one claim win, and only its lease end the attempt', async () => {
      const request = aRequest();
      const number = await store.add(request);
      assert.deepEqual(await Promise.all([store.claim(number, claim('a')), store.claim(number, claim('b'))]), [
        true,
        false,
      ]);
      assert.equal(await store.finish(number, 'b', aResult()), false);
      assert.equal(await store.finishWaiting(number, aResult()), false);
      assert.equal(await store.findEnded(request.requestId), null);
      assert.equal(await store.finish(number, 'a', aResult()), true);
      assert.equal(await store.finish(number, 'a', aResult({ status: 500 })), false);
      const ended = (await store.findEnded(request.requestId))!;
      assert.equal(ended.status, 200);
      assert.equal(Buffer.from(ended.body.bytes!).toString(), 'ok');
      assert.deepEqual(ended.headers, { 'content-type': 'text/plain', 'set-cookie': ['a', 'b'] });
      assert.deepEqual([ended.attempts, ended.startedAtMs, ended.runnerId, ended.inferenceMs], [1, 50, 'runner', 12.5]);
      assert.deepEqual(await store.listLive(0, 10), []);
    });

    it('puts an attempt back with its lease only; an old lease is worth nothing afterwards', async () => {
      const number = await store.add(aRequest());
      await store.claim(number, claim('a'));
      const next = { notBeforeMs: 70, attempts: 1, options: { spent: { timeout: 1 } } };
      assert.equal(await store.requeue(number, 'x', next), false);
      assert.equal(await store.requeue(number, 'a', next), true);
      assert.equal(await store.finish(number, 'a', aResult()), false);
      const [live] = await store.listLive(0, 1);
      assert.deepEqual(
        [live!.state, live!.lease, live!.notBeforeMs, live!.attempts, live!.options],
        ['waiting', null, 70, 1, next.options],
      );
      assert.equal(await store.claim(number, claim('b')), true);
      assert.equal(await store.finish(number, 'a', aResult()), false);
      assert.equal((await store.listLive(0, 1))[0]!.attempts, 2);
    });

    it('ends a waiting request once, and marks only running ones as to be cancelled', async () => {
      const [waiting, running] = [await store.add(aRequest()), await store.add(aRequest())];
      await store.claim(running, claim('a'));
      assert.equal(await store.requestCancel(waiting), false);
      assert.equal(await store.requestCancel(running), true);
      const ends = await Promise.all([store.finishWaiting(waiting, aResult()), store.claim(waiting, claim('b'))]);
      assert.deepEqual(ends, [true, false]);
      assert.deepEqual(
        (await store.listLive(0, 10)).map((each) => each.cancelRequested),
        [true],
      );
    });

    it('sweeps old results in small steps and names the blobs nobody needs', async () => {
      const requests = [aRequest(), aRequest({ blob: 'input-blob' }), aRequest()];
      for (const [at, request] of requests.entries()) {
        const number = await store.add(request);
        const body = { bytes: null, blob: at === 1 ? 'result-blob' : null, sizeBytes: 9 };
        await store.finishWaiting(number, aResult({ endedAtMs: at === 2 ? 1_000 : 10, body }));
      }
      assert.deepEqual(await store.sweep(500, 1), { removed: 1, blobs: [] });
      assert.deepEqual(await store.sweep(500, 5), { removed: 1, blobs: ['result-blob', 'input-blob'] });
      assert.deepEqual(await store.sweep(500, 5), { removed: 0, blobs: [] });
      assert.equal(await store.findEnded(requests[1]!.requestId), null);
      assert.ok(await store.findEnded(requests[2]!.requestId));
    });
  });
}

function aRequest({ blob, ...more }: Partial<NewRequest> & { blob?: string } = {}): NewRequest {
  const bytes = Buffer.from('{"a":1}');
  return {
    requestId: randomUUID(),
    accountId: 'account',
    appId: 'acme/app',
    targetId: 'account/app',
    callerAccountId: null,
    priority: 'normal',
    startDeadlineMs: null,
    options: {},
    submittedAtMs: 5,
    input: {
      method: 'POST',
      path: '/x?y=1',
      headers: ['content-type', 'application/json'],
      body: blob === undefined ? { bytes, blob: null, sizeBytes: 7 } : { bytes: null, blob, sizeBytes: 7 },
    },
    ...more,
  };
}

function aResult(more: Partial<RequestResult> = {}): RequestResult {
  return {
    status: 200,
    headers: { 'content-type': 'text/plain', 'set-cookie': ['a', 'b'] },
    body: { bytes: Buffer.from('ok'), blob: null, sizeBytes: 2 },
    error: null,
    errorType: null,
    inferenceMs: 12.5,
    endedAtMs: 100,
    ...more,
  };
}
