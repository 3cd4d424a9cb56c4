import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { NewDelivery } from './add-delivery.ts';
import type { DeliveryStore } from './delivery-store.ts';

/** What every engine's outbox has to do. Call it in the engine's test file. */
export function describeDeliveryStore(
  engine: string,
  open: () => Promise<{ store: DeliveryStore; add(delivery: NewDelivery): Promise<void>; close(): Promise<void> }>,
): void {
  describe(`outbox of webhooks on ${engine}`, () => {
    let store: DeliveryStore;
    let add: (delivery: NewDelivery) => Promise<void>;
    let close: () => Promise<void>;
    beforeEach(async () => ({ store, add, close } = await open()));
    afterEach(() => close());

    const added = async (more: Partial<NewDelivery> = {}): Promise<NewDelivery> => {
      const requestId = randomUUID();
      const url = 'https://hook.example/x';
      const facts = { requestId, accountId: 'alice', appId: 'alice/app', gatewayRequestId: requestId, url };
      const delivery = { ...facts, createdAtMs: 100, ...more };
      await add(delivery);
      return delivery;
    };
    const attempt = { startedAtMs: 200, durationMs: 5, status: 500, error: 'status' };
    const idsDue = async (receiver: string, nowMs: number, limit = 9): Promise<string[]> =>
      (await store.listDue(receiver, nowMs, limit)).map(({ requestId }) => requestId);

    it('hands out what is due, by receiver, the longest due first', async () => {
      const [early, late] = [await added({ createdAtMs: 100 }), await added({ createdAtMs: 300 })];
      await added({ url: 'http://other.example:8080/' });
      assert.deepEqual(await idsDue('hook.example:443', 99), []);
      assert.deepEqual(await idsDue('hook.example:443', 300), [early.requestId, late.requestId]);
      assert.deepEqual(await idsDue('hook.example:443', 300, 1), [early.requestId]);
      assert.equal(await store.nextDueAt('hook.example:443', 100), 300);
      assert.equal(await store.nextDueAt('hook.example:443', 300), null);
      assert.deepEqual((await store.listReceivers()).toSorted(), ['hook.example:443', 'other.example:8080']);
      assert.deepEqual(await store.backlog(), { pending: 3, oldestAtMs: 100 });
    });

    it('notes attempts of what is pending, and only of that', async () => {
      const { requestId } = await added();
      const { number } = (await store.find('alice', requestId))!;
      assert.equal(await store.recordAttempt(number, attempt, { state: 'pending', nextAttemptAtMs: 900 }), true);
      assert.deepEqual(await idsDue('hook.example:443', 899), []);
      assert.deepEqual(await idsDue('hook.example:443', 900), [requestId]);
      const last = { startedAtMs: 950, durationMs: 7, status: 200, error: null };
      assert.equal(await store.recordAttempt(number, last, { state: 'delivered' }), true);
      assert.equal(await store.recordAttempt(number, last, { state: 'delivered' }), false);
      const { state, attempts, endedAtMs } = (await store.find('alice', requestId))!;
      assert.deepEqual([state, attempts, endedAtMs], ['delivered', 2, 957]);
      assert.deepEqual(await store.listAttempts(number), [
        { attempt: 1, ...attempt },
        { attempt: 2, ...last },
      ]);
      assert.deepEqual(await store.backlog(), { pending: 0, oldestAtMs: null });
    });

    it('replays what has ended, for its account', async () => {
      const { requestId } = await added();
      const { number } = (await store.find('alice', requestId))!;
      assert.equal(await store.replay('alice', requestId, 500), null, 'it is on its way');
      await store.recordAttempt(number, attempt, { state: 'failed' });
      assert.equal(await store.replay('bob', requestId, 500), null);
      assert.equal(await store.find('bob', requestId), null);
      const replayed = (await store.replay('alice', requestId, 500))!;
      const { state, attemptsBefore, begunAtMs, endedAtMs } = replayed;
      assert.deepEqual([state, attemptsBefore, begunAtMs, endedAtMs], ['pending', 1, 500, null]);
      assert.deepEqual(await idsDue('hook.example:443', 500), [requestId]);
    });

    it('lists those of an account, newest first, by page and state', async () => {
      const all = [await added(), await added(), await added()];
      await added({ accountId: 'bob' });
      const list = (state: 'pending' | 'failed' | null, beforeNumber: number | null, limit: number) =>
        store.list('alice', { state, beforeNumber, limit });
      const page = await list(null, null, 2);
      assert.deepEqual(
        page.map(({ requestId }) => requestId),
        [all[2]!.requestId, all[1]!.requestId],
      );
      const rest = await list(null, page[1]!.number, 2);
      assert.deepEqual(
        rest.map(({ requestId }) => requestId),
        [all[0]!.requestId],
      );
      await store.recordAttempt(rest[0]!.number, attempt, { state: 'failed' });
      assert.equal((await list('failed', null, 9)).length, 1);
      assert.equal((await list('pending', null, 9)).length, 2);
    });

    it('forgets what ended long ago, with its attempts, in small steps', async () => {
      for (const state of ['delivered', 'failed'] as const) {
        const { requestId } = await added();
        await store.recordAttempt((await store.find('alice', requestId))!.number, attempt, { state });
      }
      const pending = await added();
      assert.equal(await store.sweep(205, 9), 0);
      assert.equal(await store.sweep(206, 1), 1);
      assert.equal(await store.sweep(206, 9), 1);
      assert.deepEqual(
        (await store.list('alice', { state: null, beforeNumber: null, limit: 9 })).map(({ requestId }) => requestId),
        [pending.requestId],
      );
    });
  });
}
