import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LannerError, systemClock, type AttemptOutcome, type StartRunnerRequest } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Database } from '../../db/database.ts';
import { openTemporaryDatabase } from '../../db/temporary-database.ts';
import { createLogger } from '../../observe/logger.ts';
import { Writable } from 'node:stream';
import type { NewRequest, RequestStore } from '../../queue/request-store.ts';
import { createSqlitePayloadStore } from '../../queue/sqlite-payload-store.ts';
import { createSqliteRequestStore } from '../../queue/sqlite-request-store.ts';
import { createSqliteDeliveryStore } from '../../webhooks/sqlite-delivery-store.ts';
import { InMemoryDriver } from '../../runners/testing/in-memory-driver.ts';
import type { Slot, SlotOutcome, SlotRequest } from '../../scheduler/dispatcher.ts';
import type { UpstreamTransport } from '../upstream/upstream-transport.ts';
import { RequestQueue } from './request-queue.ts';
import { defaultRetention } from './sweep-results.ts';

const runnerId = 'runner-1';

describe('the queue at work', () => {
  let database: Database;
  let store: RequestStore;
  let driver: InMemoryDriver;
  let queue: RequestQueue;
  /** Slots that can still be given. */
  let free: number;
  let waiters: { request: SlotRequest; resolve: (slot: Slot) => void; reject: (error: Error) => void }[];
  let releases: SlotOutcome[];
  let reclaimed: string[];
  let refuseWith: LannerError | null;
  let retryConfig: string | null;
  let queues: RequestQueue[];

  const slot = (): Slot => {
    let isReleased = false;
    return {
      runnerId,
      host: '127.0.0.1',
      port: 8080,
      release(outcome) {
        assert.ok(!isReleased, 'a slot was released twice');
        isReleased = true;
        releases.push(outcome);
        free += 1;
        serve();
      },
    };
  };
  const serve = (): void => {
    while (free > 0 && waiters.length > 0) {
      free -= 1;
      waiters.shift()!.resolve(slot());
    }
  };
  const openQueue = (): RequestQueue => {
    const opened = new RequestQueue({
      store,
      blobs: {} as Blobs,
      dispatcher: {
        acquire(request) {
          if (refuseWith) return Promise.reject(refuseWith);
          return new Promise((resolve, reject) => {
            const waiter = { request, resolve, reject };
            waiters.push(waiter);
            request.signal.addEventListener('abort', () => {
              waiters = waiters.filter((each) => each !== waiter);
              reject(request.signal.reason as Error);
            });
            serve();
          });
        },
        reclaim(_runnerId, caller) {
          reclaimed.push(caller!.requestId);
          free -= 1;
          return slot();
        },
      },
      targets: { find: () => null },
      driver,
      transport: { send: () => ({ pause() {}, resume() {}, abort() {} }) } as unknown as UpstreamTransport,
      retryRules: () => ({ retryConfig, skipRetryConditions: [] }),
      clock: systemClock,
      log: createLogger({ destination: new Writable({ write: (_c, _e, done) => done() }) } as never),
      payloads: createSqlitePayloadStore(database),
      deliveries: createSqliteDeliveryStore(database),
      retention: defaultRetention,
    });
    queues.push(opened);
    return opened;
  };

  beforeEach(async () => {
    queues = [];
    free = 1;
    waiters = [];
    releases = [];
    reclaimed = [];
    refuseWith = null;
    retryConfig = null;
    database = await openTemporaryDatabase();
    store = createSqliteRequestStore(database);
    driver = new InMemoryDriver(systemClock);
    await driver.start();
    await driver.startRunner({ runnerId } as StartRunnerRequest);
    queue = openQueue();
    await queue.start();
  });
  afterEach(async () => {
    for (const each of queues) await each.stop(0);
    await database.close();
  });

  const submit = async (more: Partial<NewRequest> = {}): Promise<string> => {
    const requestId = randomUUID();
    await queue.submit(
      {
        requestId,
        accountId: 'a',
        appId: 'acme/app',
        targetId: 'a/app',
        callerAccountId: 'a',
        priority: 'normal',
        startDeadlineMs: null,
        options: {},
        submittedAtMs: systemClock.nowMs(),
        input: {
          method: 'POST',
          path: '/',
          headers: ['x-fal-request-id', requestId],
          body: { bytes: null, blob: null, sizeBytes: 0 },
        },
        ...more,
      },
      null,
    );
    return requestId;
  };
  const attemptOf = (requestId: string): string | undefined =>
    [...driver.attempts.values()].find(
      ({ order, outcome }) => order.headers.includes(requestId) && outcome === undefined,
    )?.attemptId;
  const started = (requestId: string): Promise<string> => until(() => attemptOf(requestId));
  const ended = (requestId: string) => until(() => store.findEnded(requestId));

  it('runs requests one after the other in a single slot, each once', async () => {
    const ids = [await submit(), await submit({ priority: 'low' }), await submit()];
    const order: string[] = [];
    for (const _ of ids) {
      const attempt = await until(() => [...driver.attempts.values()].find(({ outcome }) => outcome === undefined));
      assert.equal([...driver.attempts.values()].filter(({ outcome }) => outcome === undefined).length, 1);
      order.push(attempt.order.headers[1]!);
      driver.finishAttempt(attempt.attemptId, answered(200, attempt.order.headers[1]!));
      const result = await ended(attempt.order.headers[1]!);
      assert.equal(Buffer.from(result.body.bytes!).toString(), attempt.order.headers[1]);
    }
    assert.deepEqual(order, [ids[0], ids[2], ids[1]], 'low priority last');
    await until(() => releases.length === 3);
    assert.equal(driver.attempts.size, 0, 'forgotten after the result was durable');
  });

  it('ignores the end of an attempt that is not the latest', async () => {
    const id = await submit();
    const first = await started(id);
    driver.finishAttempt(first, { kind: 'failed', failure: 'disconnected', startedAtMs: 0, durationMs: 1 });
    await until(() => queue.find(id)?.state === 'waiting');
    const second = await started(id);
    assert.notEqual(first, second);
    driver.attempts.set(first, { ...driver.attempts.get(second)!, attemptId: first });
    driver.finishAttempt(first, answered(200, 'late'));
    driver.finishAttempt(second, answered(200, 'right'));
    assert.equal(Buffer.from((await ended(id)).body.bytes!).toString(), 'right');
    assert.deepEqual(
      releases.map(({ kind }) => kind),
      ['connection-failed', 'done'],
    );
  });

  it('gives up after the budget, with the error of the last attempt', async () => {
    retryConfig = '{"timeout": {"retries": 0}}';
    const id = await submit();
    driver.finishAttempt(await started(id), { kind: 'failed', failure: 'timeout', startedAtMs: 0, durationMs: 1 });
    const result = await ended(id);
    assert.deepEqual([result.status, result.errorType], [504, 'request_timeout']);
    assert.equal(releases[0]!.kind, 'terminate');
  });

  it('takes up running attempts and finished results of the server before it', async () => {
    free = 2;
    const [running, finished, waiting] = [await submit(), await submit(), await submit()];
    const attempts = [await started(running), await started(finished)];
    await queue.stop(0);
    releases = [];
    driver.finishAttempt(attempts[1]!, answered(200, 'kept'));
    free = 2;
    queue = openQueue();
    assert.deepEqual(await queue.start(), { waiting: 1, running: 2 });
    assert.deepEqual(reclaimed, [running, finished]);
    assert.equal(Buffer.from((await ended(finished)).body.bytes!).toString(), 'kept');
    assert.equal(queue.find(running)?.state, 'running');
    driver.finishAttempt(attempts[0]!, answered(200, 'went on'));
    assert.equal(Buffer.from((await ended(running)).body.bytes!).toString(), 'went on');
    driver.finishAttempt(await started(waiting), answered(200, 'then'));
    assert.equal((await ended(waiting)).attempts, 1);
  });

  it('takes up attempts that were ordered and not yet written down, and never executes them again', async () => {
    free = 2;
    const [running, finished] = [await submit(), await submit()];
    const attempts = [await started(running), await started(finished)];
    await queue.stop(0);
    // What a kill right after the order leaves behind.
    await database.write((connection) =>
      connection.run("UPDATE queue_requests SET state = 'waiting', lease = NULL, attempts = attempts - 1"),
    );
    driver.finishAttempt(attempts[1]!, answered(200, 'kept'));
    releases = [];
    reclaimed = [];
    free = 2;
    queue = openQueue();
    assert.deepEqual(await queue.start(), { waiting: 0, running: 2 });
    assert.deepEqual(reclaimed, [running, finished]);
    assert.equal(Buffer.from((await ended(finished)).body.bytes!).toString(), 'kept');
    driver.finishAttempt(attempts[0]!, answered(200, 'went on'));
    const result = await ended(running);
    assert.equal(Buffer.from(result.body.bytes!).toString(), 'went on');
    assert.deepEqual([result.attempts, result.runnerId], [1, runnerId]);
    await until(() => driver.attempts.size === 0);
    assert.equal(releases.length, 2);
  });

  it('leaves alone what the supervisor still knows of an earlier attempt', async () => {
    const id = await submit();
    const first = await started(id);
    await queue.stop(0);
    // The request was put back; the server died before it told the supervisor to forget.
    await database.write((connection) =>
      connection.run("UPDATE queue_requests SET state = 'waiting', lease = NULL, attempts = 1"),
    );
    driver.finishAttempt(first, answered(200, 'old'));
    free = 1;
    queue = openQueue();
    await queue.start();
    const second = await started(id);
    assert.notEqual(second, first);
    driver.finishAttempt(second, answered(200, 'new'));
    const result = await ended(id);
    assert.equal(Buffer.from(result.body.bytes!).toString(), 'new');
    assert.equal(result.attempts, 2);
  });

  it('stops executing while ends cannot be written, and loses none', async () => {
    free = 2;
    const { finish } = store;
    let isBroken = true;
    let failures = 0;
    store.finish = async (...args) => {
      if (!isBroken) return finish(...args);
      failures += 1;
      throw new Error('database or disk is full');
    };
    const ids = [await submit(), await submit()];
    driver.finishAttempt(await started(ids[0]!), answered(200, 'a'));
    await until(() => failures > 0);
    // Its slot is free again, but what runs there could not be kept.
    ids.push(await submit());
    await until(() => releases.length === 2);
    assert.equal(queue.find(ids[2]!)?.state, 'waiting');
    assert.equal(attemptOf(ids[2]!), undefined);
    isBroken = false;
    driver.finishAttempt(await started(ids[1]!), answered(200, 'b'));
    assert.equal((await ended(ids[0]!)).status, 200);
    assert.equal((await ended(ids[1]!)).status, 200);
    driver.finishAttempt(await started(ids[2]!), answered(200, 'c'));
    assert.deepEqual((await ended(ids[2]!)).attempts, 1);
  });

  it('starts again what was noted and never ordered, and repeats what a lost supervisor ran', async () => {
    free = 2;
    const ids = [await submit(), await submit()];
    for (const id of ids) await started(id);
    await queue.stop(0);
    // The first was never ordered; the second ran on a supervisor that is gone.
    driver.attempts.clear();
    const rows = await store.listLive(0, 10);
    await database.write((connection) =>
      connection.run("UPDATE queue_requests SET generation = 'gone' WHERE number = ?", rows[1]!.number),
    );
    free = 2;
    queue = openQueue();
    await queue.start();
    for (const id of ids) driver.finishAttempt(await started(id), answered(200, id));
    assert.deepEqual(await Promise.all(ids.map(async (id) => (await ended(id)).attempts)), [1, 2]);
  });

  it('ends waiting requests at their start deadline and when no runner can come, and cancels them unexecuted', async () => {
    free = 0;
    const late = await submit({ startDeadlineMs: systemClock.nowMs() + 20 });
    assert.equal((await ended(late)).headers['x-fal-request-timeout-type'], 'user');
    const cancelled = await submit();
    assert.equal(await queue.cancel(queue.find(cancelled)!), 'CANCELLATION_REQUESTED');
    assert.equal((await ended(cancelled)).errorType, 'client_cancelled');
    assert.equal(waiters.length, 0, 'no demand is left behind');
    refuseWith = new LannerError('app_not_found', 'The app is gone.');
    assert.equal((await ended(await submit())).status, 404);
    assert.equal(driver.attempts.size, 0);
  });

  it('refuses when more wait than the caller allows', async () => {
    free = 0;
    await submit();
    await submit();
    const request = { requestId: randomUUID(), targetId: 'a/app' } as NewRequest;
    await assert.rejects(queue.submit(request, 1), (error: LannerError) => error.code === 'too_many_requests');
  });
});

function answered(status: number, text: string): AttemptOutcome {
  const body = Buffer.from(text);
  return {
    kind: 'answered',
    status,
    headers: {},
    sizeBytes: body.length,
    body: body.toString('base64'),
    startedAtMs: 1,
    durationMs: 2,
  };
}

/** Looks again after every turn until there is something. */
async function until<T>(look: () => T | undefined | null | false | Promise<T | undefined | null | false>): Promise<T> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > deadlineMs) throw new Error(`nothing came of ${String(look)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
