import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from '../auth/account-store.ts';
import type { RunnerEnd, RunnerRecord, RunnerStore } from './runner-store.ts';

export interface RunnerStores {
  accounts: Pick<AccountStore, 'insert'>;
  runners: RunnerStore;
  close(): Promise<void>;
}

/** What every engine's store of runners has to do. Call it in the engine's test file. */
export function describeRunnerStore(engine: string, open: () => Promise<RunnerStores>): void {
  describe(`runner store on ${engine}`, () => {
    let stores: RunnerStores;
    let runners: RunnerStore;
    let ada: string;
    let bob: string;
    beforeEach(async () => {
      stores = await open();
      runners = stores.runners;
      [ada, bob] = [randomUUID(), randomUUID()];
      for (const [accountId, nickname] of [[ada, 'ada'] as const, [bob, 'bob'] as const]) {
        await stores.accounts.insert({ accountId, nickname, fullName: nickname, isPersonal: true, createdAtMs: 1 });
      }
    });
    afterEach(() => stores.close());

    const aRunner = (given: Partial<RunnerRecord> = {}): RunnerRecord => ({
      ...{ runnerId: randomUUID(), accountId: ada, environmentName: 'main', aliasId: `${ada}/hello` },
      ...{ aliasName: 'hello', revisionId: 'rev-1', machineType: 'XS', startReason: 'need', startedAtMs: 10 },
      ...given,
    });
    const anEnd = (endedAtMs: number, given: Partial<RunnerEnd> = {}): RunnerEnd => ({
      ...{ endedAtMs, endReason: 'idle', wasReplaced: false },
      ...given,
    });
    /** One that lived. Resolves with its id. */
    const ended = async (endedAtMs: number, given: Partial<RunnerRecord> = {}): Promise<string> => {
      const runner = aRunner(given);
      await Promise.all([runners.begin(runner), runners.end(runner.runnerId, anEnd(endedAtMs))]);
      return runner.runnerId;
    };
    const list = async (accountId = ada, filter: Partial<Parameters<RunnerStore['listEnded']>[1]> = {}) =>
      runners.listEnded(accountId, { aliasName: null, endedSinceMs: 0, limit: 100, ...filter });
    const listIds = async (...given: Parameters<typeof list>): Promise<string[]> =>
      (await list(...given)).map(({ runnerId }) => runnerId);

    it('lists a runner once it has ended, with all that was known of it', async () => {
      const [served, ran] = [
        aRunner(),
        aRunner({ aliasId: null, aliasName: 'run-1', environmentName: 'staging', startReason: 'run' }),
      ];
      await runners.begin(served);
      await runners.begin(ran);
      assert.deepEqual(await list(), []);
      assert.equal(await runners.findEnded(ada, served.runnerId, 0), null);
      assert.equal(await runners.end(ran.runnerId, anEnd(20, { endReason: 'stopped' })), true);
      assert.equal(await runners.end(served.runnerId, anEnd(30, { endReason: 'rollout', wasReplaced: true })), true);
      const expected = [
        { ...ran, endedAtMs: 20, endReason: 'stopped', wasReplaced: false },
        { ...served, endedAtMs: 30, endReason: 'rollout', wasReplaced: true },
      ];
      assert.deepEqual(await list(), expected);
      assert.deepEqual(await runners.findEnded(ada, served.runnerId, 0), expected[1]);
    });

    it('has one end per runner, the first', async () => {
      const runnerId = await ended(20);
      assert.equal(await runners.end(runnerId, anEnd(30, { endReason: 'crashed' })), false);
      assert.equal(await runners.end(randomUUID(), anEnd(30)), false);
      assert.deepEqual(
        (await list()).map(({ endedAtMs, endReason }) => [endedAtMs, endReason]),
        [[20, 'idle']],
      );
    });

    it('keeps what it noted of a runner first, and takes back the end of one that lives', async () => {
      const runner = aRunner();
      await runners.begin(runner);
      await runners.end(runner.runnerId, anEnd(20, { wasReplaced: true }));
      await runners.begin({ ...runner, startReason: 'adopted', startedAtMs: 15 });
      assert.deepEqual(await list(), []);
      await runners.end(runner.runnerId, anEnd(30));
      assert.deepEqual(await list(), [{ ...runner, ...anEnd(30) }]);
    });

    it('ends those that are not among the live ones, and leaves ended ones as they are', async () => {
      const [live, lost, other] = [aRunner(), aRunner(), aRunner({ accountId: bob })];
      for (const runner of [live, lost, other]) await runners.begin(runner);
      const before = await ended(20);
      assert.equal(await runners.endOthers([live.runnerId], { endedAtMs: 40, endReason: 'lost' }), 2);
      assert.equal(await runners.endOthers([live.runnerId], { endedAtMs: 50, endReason: 'lost' }), 0);
      assert.deepEqual(await listIds(), [before, lost.runnerId]);
      assert.deepEqual(await list(bob), [{ ...other, ...anEnd(40, { endReason: 'lost' }) }]);
    });

    it('lists from a moment on, of one app or all, the latest', async () => {
      const first = await ended(20);
      const second = await ended(30, { aliasName: 'other' });
      const third = await ended(30);
      const fourth = await ended(25);
      assert.deepEqual(await listIds(), [first, fourth, second, third]);
      assert.deepEqual(await listIds(ada, { endedSinceMs: 25 }), [fourth, second, third]);
      assert.deepEqual(await listIds(ada, { endedSinceMs: 31 }), []);
      assert.deepEqual(await listIds(ada, { aliasName: 'hello' }), [first, fourth, third]);
      assert.deepEqual(await listIds(ada, { limit: 2 }), [second, third]);
      assert.equal((await runners.findEnded(ada, first, 20))?.runnerId, first);
      assert.equal(await runners.findEnded(ada, first, 21), null);
    });

    it('shows an account nothing of another', async () => {
      const runnerId = await ended(20);
      assert.deepEqual(await list(bob), []);
      assert.deepEqual(await list(bob, { aliasName: 'hello' }), []);
      assert.equal(await runners.findEnded(bob, runnerId, 0), null);
    });

    it('removes what is old, and never a live one, in steps', async () => {
      await runners.begin(aRunner());
      for (const atMs of [20, 30, 40]) await ended(atMs);
      await ended(35, { accountId: bob });
      assert.equal(await runners.sweep(40, 100, 2), 2);
      assert.equal(await runners.sweep(40, 100, 2), 1);
      assert.equal(await runners.sweep(40, 100, 2), 0);
      assert.deepEqual(
        (await list()).map(({ endedAtMs }) => endedAtMs),
        [40],
      );
      assert.deepEqual(await list(bob), []);
      assert.equal(await runners.endOthers([], { endedAtMs: 50, endReason: 'lost' }), 1, 'the live one was there');
    });

    it('keeps the latest of each account, whoever else has many', async () => {
      const ids: string[] = [];
      for (const atMs of [20, 30, 30, 30, 40]) ids.push(await ended(atMs));
      const alone = await ended(10, { accountId: bob });
      await runners.begin(aRunner());
      assert.equal(await runners.sweep(0, 3, 1), 1);
      assert.equal(await runners.sweep(0, 3, 10), 1);
      assert.equal(await runners.sweep(0, 3, 10), 0);
      assert.deepEqual(await listIds(), ids.slice(2));
      assert.deepEqual(await listIds(bob), [alone]);
    });
  });
}
