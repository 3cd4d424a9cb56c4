import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { LiveRequest } from './live-request.ts';
import type { DeliveryStore } from '../webhooks/delivery-store.ts';
import type { PayloadStore } from './payload-store.ts';
import type { NewRequest, RequestResult, RequestStore } from './request-store.ts';

/** What every engine's store of requests has to do. Call it in the engine's test file. */
export function describeRequestStore(
  engine: string,
  open: () => Promise<{
    store: RequestStore;
    payloads: PayloadStore;
    deliveries: DeliveryStore;
    close(): Promise<void>;
  }>,
): void {
  describe(`request store on ${engine}`, () => {
    let store: RequestStore;
    let payloads: PayloadStore;
    let deliveries: DeliveryStore;
    let close: () => Promise<void>;
    beforeEach(async () => ({ store, payloads, deliveries, close } = await open()));
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
      const expected = {
        ...facts,
        ...{ number: numbers[0], state: 'waiting', attempts: 0, notBeforeMs: 0, cancelRequested: false },
        ...{ lease: null, runnerId: null, generation: null, startedAtMs: null },
      };
      const names = Object.keys(expected) as (keyof LiveRequest)[];
      assert.deepEqual(Object.fromEntries(names.map((name) => [name, live[0]![name]])), expected);
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

    it('makes good for a claim that was never written', async () => {
      const numbers = [await store.add(aRequest()), await store.add(aRequest()), await store.add(aRequest())];
      const [finished, again, cancelled] = numbers as [number, number, number];
      assert.equal(await store.finish(finished, 'a', aResult()), false);
      assert.equal(await store.finish(finished, 'a', aResult(), claim('a')), true);
      const next = { notBeforeMs: 0, attempts: 1, options: {} };
      assert.equal(await store.requeue(again, 'b', next, claim('b')), true);
      assert.equal(await store.requestCancel(cancelled, claim('c')), true);
      const live = await store.listLive(0, 10);
      assert.deepEqual(
        live.map(({ number, state, lease, attempts }) => [number, state, lease, attempts]),
        [
          [again, 'waiting', null, 1],
          [cancelled, 'running', 'c', 1],
        ],
      );
      assert.equal(await store.finish(cancelled, 'd', aResult(), claim('d')), false, 'another has it');
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

    it('sweeps old results in small steps and notes the blobs nobody needs', async () => {
      const requests = [aRequest(), aRequest({ blob: 'input-blob' }), aRequest()];
      for (const [at, request] of requests.entries()) {
        const body = { bytes: null, blob: at === 1 ? 'result-blob' : null, sizeBytes: 9 };
        await ended(request, aResult({ endedAtMs: at === 2 ? 1_000 : 10, body }));
      }
      assert.equal(await store.sweep(500, 1), 1);
      assert.deepEqual(await payloads.listGarbage(9), []);
      assert.equal(await store.sweep(500, 5), 1);
      assert.deepEqual((await payloads.listGarbage(9)).toSorted(), ['input-blob', 'result-blob']);
      await payloads.forgetGarbage(['input-blob', 'result-blob']);
      assert.deepEqual(await payloads.listGarbage(9), []);
      assert.equal(await store.sweep(500, 5), 0);
      assert.equal(await store.findEnded(requests[1]!.requestId), null);
      assert.ok(await store.findEnded(requests[2]!.requestId));
    });

    const ended = async (request: NewRequest, result: RequestResult): Promise<number> => {
      const number = await store.add(request);
      assert.equal(await store.finishWaiting(number, result), true);
      return number;
    };
    const payloadsOf = async ({ requestId }: NewRequest) => {
      const { payloads: kept, body } = (await store.findEnded(requestId))!;
      return { kept, body: body.blob ?? (body.bytes === null ? null : Buffer.from(body.bytes).toString()) };
    };
    const inlineBody = { bytes: Buffer.from('{}'), blob: null, sizeBytes: 2 };

    it('lets go of what is not to be kept: the input at the end, the output after its own time', async () => {
      const secret = aRequest({ blob: 'secret-input', options: { discardIo: true } });
      const plain = aRequest({ options: { hint: 'a' } });
      const numbers = [
        await ended(secret, aResult({ body: inlineBody, endedAtMs: 10 })),
        await ended(plain, aResult({ body: inlineBody, endedAtMs: 10 })),
      ];
      assert.equal(await store.readInput(numbers[0]!), null);
      assert.ok(await store.readInput(numbers[1]!));
      assert.deepEqual(await payloads.listGarbage(9), ['secret-input']);
      assert.deepEqual(await payloadsOf(secret), { kept: 'brief', body: '{}' });
      assert.equal(await payloads.sweepPayloads({ keptBeforeMs: 0, briefBeforeMs: 11 }, 9), 1);
      assert.deepEqual(await payloadsOf(secret), { kept: 'deleted', body: null });
      assert.deepEqual(await payloadsOf(plain), { kept: 'kept', body: '{}' });
      assert.equal(await payloads.sweepPayloads({ keptBeforeMs: 11, briefBeforeMs: 11 }, 9), 1);
      assert.deepEqual(await payloadsOf(plain), { kept: 'deleted', body: null });
      assert.equal(await store.readInput(numbers[1]!), null);
      assert.equal(await payloads.sweepPayloads({ keptBeforeMs: 11, briefBeforeMs: 11 }, 9), 0);
    });

    it('deletes the payloads of a caller, nobody else’s, and keeps how the request ended', async () => {
      const request = aRequest({ callerAccountId: 'caller' });
      const body = { bytes: null, blob: 'big', sizeBytes: 9 };
      await ended(request, aResult({ body, error: 'sad' }));
      assert.equal(await payloads.deletePayloads('account', request.requestId), false);
      assert.equal(await payloads.deletePayloads('caller', request.requestId), true);
      assert.equal(await payloads.deletePayloads('caller', request.requestId), true);
      assert.deepEqual(await payloads.listGarbage(9), ['big']);
      assert.equal((await store.findEnded(request.requestId))!.error, 'sad');
      const anonymous = aRequest();
      await ended(anonymous, aResult({ body: inlineBody }));
      assert.equal(await payloads.deletePayloads('account', anonymous.requestId), true);
    });

    it('puts a webhook into the outbox with the end, once, and names the attempt that counted', async () => {
      const webhook = 'https://hook.example/a?b=1';
      const once = aRequest({ callerAccountId: 'caller', options: { webhook } });
      const twice = aRequest({ options: { webhook } });
      const [first, second] = [await store.add(once), await store.add(twice)];
      await store.claim(first!, claim('lease-1'));
      assert.equal(await store.finish(first!, 'other', aResult()), false);
      assert.equal(await deliveries.find('caller', once.requestId), null, 'nothing without the end');
      await store.finish(first!, 'lease-1', aResult({ endedAtMs: 77 }));
      await store.claim(second!, claim('lease-2'));
      await store.requeue(second!, 'lease-2', { notBeforeMs: 0, attempts: 1, options: { webhook } });
      await store.claim(second!, claim('lease-3'));
      await store.finish(second!, 'lease-3', aResult());
      const delivery = (await deliveries.find('caller', once.requestId))!;
      assert.deepEqual(
        [delivery.url, delivery.receiver, delivery.state, delivery.gatewayRequestId, delivery.nextAttemptAtMs],
        [webhook, 'hook.example:443', 'pending', once.requestId, 77],
      );
      assert.equal((await deliveries.find('account', twice.requestId))!.gatewayRequestId, 'lease-3');
      assert.equal(await deliveries.find('account', once.requestId), null, 'the submitter’s only');
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
