import assert from 'node:assert/strict';
import { createHash, createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { systemClock } from '@lanner/protocol';
import { createSecretBox } from '../apps/secret-box.ts';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import type { RequestStore } from '../queue/request-store.ts';
import { createSqliteRequestStore } from '../queue/sqlite-request-store.ts';
import { defaultRetryRules } from './decide-next-step.ts';
import type { DeliveryStore } from './delivery-store.ts';
import { createWebhookSender } from './send-webhook.ts';
import { openSigningKeys, type SigningKeys } from './signing-keys.ts';
import { createSqliteDeliveryStore } from './sqlite-delivery-store.ts';
import { createSqliteWebhookKeyStore } from './sqlite-webhook-key-store.ts';
import { WebhookDeliverer, type WebhookLimits } from './webhook-deliverer.ts';

interface Received {
  requestId: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
  atMs: number;
}

describe('emptying the outbox', () => {
  let database: Database;
  let store: DeliveryStore;
  let requests: RequestStore;
  let keys: SigningKeys;
  let stops: (() => Promise<unknown>)[];
  beforeEach(async () => {
    stops = [];
    database = await openTemporaryDatabase();
    stops.push(() => database.close());
    store = createSqliteDeliveryStore(database);
    requests = createSqliteRequestStore(database);
    keys = await openSigningKeys({
      store: createSqliteWebhookKeyStore(database),
      box: createSecretBox(randomBytes(32)),
      clock: systemClock,
      log: { error: () => assert.fail() },
    });
  });
  afterEach(async () => {
    for (const stop of stops.toReversed()) await stop();
  });

  const deliverer = (limits: Partial<WebhookLimits> = {}, rules = {}): WebhookDeliverer => {
    const sender = createWebhookSender({
      allowPrivate: true,
      connectionsPerReceiver: 16,
      upstreamProxy: null,
      certificates: () => [],
      clock: systemClock,
    });
    const opened = new WebhookDeliverer({
      store,
      results: requests,
      blobs: { open: () => assert.fail() },
      keys,
      sender,
      rules: { ...defaultRetryRules, firstDelayMs: 10, ...rules },
      clock: systemClock,
      log: {
        info: () => undefined,
        warn: () => undefined,
        error: (facts, message) => assert.fail(`${message} ${String((facts as { err: unknown }).err)}`),
      },
      limits,
    });
    stops.push(async () => {
      await opened.stop(0);
      await sender.close();
    });
    return opened;
  };

  /** A receiver that notes what comes and answers as told. */
  const receiver = async (
    answer: (response: ServerResponse, received: Received, count: number) => void = (response) => void response.end(),
  ): Promise<{ url: string; received: Received[] }> => {
    const received: Received[] = [];
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        const requestId = String(request.headers['x-fal-webhook-request-id']);
        const entry = { requestId, headers: request.headers, body, atMs: performance.now() };
        received.push(entry);
        answer(response, entry, received.length);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1`, received };
  };

  /** A request of alice that ended with this webhook. */
  const ended = async (url: string, text = '{"ok":true}', status = 200): Promise<string> => {
    const requestId = randomUUID();
    const number = await requests.add({
      ...{ requestId, accountId: 'owner', appId: 'owner/app', targetId: 't', callerAccountId: 'alice' },
      ...{ priority: 'normal', startDeadlineMs: null, options: { webhook: url }, submittedAtMs: 1 },
      input: { method: 'POST', path: '/', headers: [], body: { bytes: null, blob: null, sizeBytes: 0 } },
    });
    const bytes = Buffer.from(text);
    await requests.finishWaiting(number, {
      ...{ status, headers: {}, error: null, errorType: null, inferenceMs: 1, endedAtMs: systemClock.nowMs() },
      body: { bytes, blob: null, sizeBytes: bytes.length },
    });
    return requestId;
  };
  const stateOf = async (requestId: string) => (await store.find('alice', requestId))!;
  const settled = (requestId: string) => until(async () => (await stateOf(requestId)).state !== 'pending');

  it('posts the result, signed so that the key set verifies it, and notes the attempt', async () => {
    const { url, received } = await receiver();
    const webhooks = deliverer();
    await webhooks.start();
    const requestId = await ended(url);
    webhooks.added(url);
    await settled(requestId);
    const [{ headers, body }] = received as [Received];
    assert.deepEqual(JSON.parse(body.toString()), {
      request_id: requestId,
      gateway_request_id: requestId,
      status: 'OK',
      payload: { ok: true },
    });
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['x-fal-webhook-user-id'], 'alice');
    const timestamp = String(headers['x-fal-webhook-timestamp']);
    assert.ok(Math.abs(Number(timestamp) * 1000 - systemClock.nowMs()) < 30_000);
    const hash = createHash('sha256').update(body).digest('hex');
    const message = Buffer.from(`${requestId}\nalice\n${timestamp}\n${hash}`);
    const signature = Buffer.from(String(headers['x-fal-webhook-signature']), 'hex');
    const key = createPublicKey({ format: 'jwk', key: { ...keys.published()[0]! } });
    assert.ok(verify(null, message, key, signature));
    assert.ok(!verify(null, Buffer.concat([message, Buffer.from('x')]), key, signature));
    const { state, number } = await stateOf(requestId);
    assert.equal(state, 'delivered');
    assert.deepEqual(
      (await store.listAttempts(number)).map(({ attempt, status, error }) => ({ attempt, status, error })),
      [{ attempt: 1, status: 200, error: null }],
    );
  });

  it('repeats until it is accepted, one attempt at a time, each with a signature of its own time', async () => {
    let open = 0;
    const { url, received } = await receiver((response, _entry, count) => {
      open += 1;
      assert.equal(open, 1);
      setImmediate(() => {
        open -= 1;
        response.writeHead(count < 4 ? 500 : 202).end();
      });
    });
    const webhooks = deliverer();
    await webhooks.start();
    const requestId = await ended(url);
    webhooks.added(url);
    await settled(requestId);
    assert.equal(received.length, 4);
    const { state, attempts } = await stateOf(requestId);
    assert.deepEqual([state, attempts], ['delivered', 4]);
  });

  it('gives up on a redirect at once, and after the budget otherwise; a replay begins anew', async () => {
    const redirecting = await receiver((response) => response.writeHead(302, { location: '/' }).end());
    let status = 503;
    const failing = await receiver((response) => response.writeHead(status).end());
    const webhooks = deliverer({}, { mostRetries: 2 });
    await webhooks.start();
    const ids = [await ended(redirecting.url), await ended(failing.url)];
    webhooks.added(redirecting.url);
    webhooks.added(failing.url);
    for (const id of ids) await settled(id);
    assert.deepEqual([redirecting.received.length, failing.received.length], [1, 3]);
    assert.equal((await stateOf(ids[1]!)).state, 'failed');
    status = 200;
    const replayed = await store.replay('alice', ids[1]!, systemClock.nowMs());
    webhooks.added(replayed!.url);
    await settled(ids[1]!);
    assert.equal((await stateOf(ids[1]!)).state, 'delivered');
    assert.equal((await stateOf(ids[1]!)).attempts, 4);
  });

  it('takes up what an earlier server left, and repeats what it was cut off from', async () => {
    let isFirst = true;
    const { url, received } = await receiver((response) => {
      if (!isFirst) response.end();
    });
    const requestId = await ended(url);
    const first = deliverer();
    await first.start();
    await until(() => received.length === 1);
    await first.stop(0);
    assert.equal((await stateOf(requestId)).attempts, 0, 'nothing is noted before the receiver answered');
    isFirst = false;
    await deliverer().start();
    await settled(requestId);
    assert.deepEqual(
      received.map((entry) => entry.requestId),
      [requestId, requestId],
    );
  });

  it('lets nobody wait for a dead receiver with a long backlog', async (t: TestContext) => {
    const dead = await receiver(() => undefined);
    const healthy = [await receiver(), await receiver()];
    await Promise.all(Array.from({ length: 2_000 }, () => ended(dead.url)));
    const webhooks = deliverer({ firstTimeoutMs: 200, retryTimeoutMs: 200, perReceiver: 4, most: 8 });
    await webhooks.start();
    const startedMs = performance.now();
    const waits: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      const { url, received } = healthy[round % 2]!;
      const beforeMs = performance.now();
      const requestId = await ended(url);
      webhooks.added(url);
      await until(() => received.some((entry) => entry.requestId === requestId));
      waits.push(performance.now() - beforeMs);
    }
    t.diagnostic(
      `50 healthy deliveries in ${Math.round(performance.now() - startedMs)} ms, the slowest in ${Math.round(Math.max(...waits))} ms`,
    );
    assert.ok(dead.received.length > 0);
    assert.equal((await store.backlog()).pending >= 2_000 - 50, true);
  });

  it('shares its places fairly when there are more receivers than places', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => receiver()));
    const ids = await Promise.all(all.flatMap(({ url }) => [ended(url), ended(url), ended(url)]));
    await deliverer({ most: 2, perReceiver: 1 }).start();
    for (const id of ids) await settled(id);
    assert.deepEqual(
      all.map(({ received }) => received.length),
      all.map(() => 3),
    );
  });

  it('sends each exactly once, however often it is woken', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => receiver()));
    const webhooks = deliverer({ most: 3, perReceiver: 2 });
    await webhooks.start();
    const ids: string[] = [];
    for (let round = 0; round < 60; round += 1) {
      const { url } = all[round % all.length]!;
      ids.push(...(await Promise.all([ended(url), ended(url)])));
      for (let times = 0; times < 1 + (round % 3); times += 1) webhooks.added(url);
    }
    for (const id of ids) await settled(id);
    const arrived = all.flatMap(({ received }) => received.map(({ requestId }) => requestId));
    assert.deepEqual(arrived.toSorted(), ids.toSorted());
  });

  it('sets no timer when nothing is pending', async () => {
    const { url } = await receiver();
    let timers = 0;
    const clock = {
      ...systemClock,
      setTimer: (...given: Parameters<typeof systemClock.setTimer>) => ((timers += 1), systemClock.setTimer(...given)),
    };
    const webhooks = new WebhookDeliverer({
      ...{ store, results: requests, blobs: { open: () => assert.fail() }, keys, rules: defaultRetryRules, clock },
      sender: { send: async () => ({ kind: 'answered', status: 200 }) },
      log: { info: () => undefined, warn: () => undefined, error: () => assert.fail() },
    });
    stops.push(() => webhooks.stop(0));
    await webhooks.start();
    const requestId = await ended(url);
    webhooks.added(url);
    await settled(requestId);
    assert.equal(timers, 0);
  });
});

/** Looks again after every turn until there is something. */
async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await look())) {
    if (performance.now() > deadlineMs) throw new Error(`nothing came of ${String(look)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
