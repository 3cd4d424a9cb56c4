import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { AliasInfoSchema, RunnerInfoSchema, type AliasInfo, type RunnerInfo } from '@lanner/protocol/controller';
import { toAppInfo } from './app.ts';
import { isInStates, toRunnerInfo } from './runner.ts';

test('values of newer servers are kept as numbers and never thrown on', () => {
  const runner = toRunnerInfo(
    create(RunnerInfoSchema, {
      state: 77 as RunnerInfo['state'] & number,
      replacement: 5 as RunnerInfo['replacement'],
    }),
  );
  assert.deepEqual([runner.state, runner.replacement], [{ unknown: 77 }, { unknown: 5 }]);
  assert.equal(isInStates(runner, undefined), true);
  assert.equal(isInStates(runner, ['IDLE']), false);
  assert.deepEqual(toAppInfo(create(AliasInfoSchema, { authMode: 9 as AliasInfo['authMode'] })).authMode, {
    unknown: 9,
  });
});

test('a runner without state runs, and DEAD is found as TERMINATED', () => {
  assert.equal(toRunnerInfo(create(RunnerInfoSchema, {})).state, 'RUNNING');
  assert.equal(isInStates(toRunnerInfo(create(RunnerInfoSchema, { state: 3 })), ['TERMINATED']), true);
  assert.equal(toRunnerInfo(create(RunnerInfoSchema, { state: 9 })).state, 'CRASH_BACKOFF');
});

test('leases become records with dates', () => {
  const runner = toRunnerInfo(
    create(RunnerInfoSchema, { externalMetadata: { leases: [{ request_id: 'r', leased_at_epoch: 1.5 }] } }),
  );
  assert.deepEqual(runner.leases, [{ requestId: 'r', callerUserId: null, leasedAt: new Date(1500) }]);
});

test('an app says main where the wire says nothing', () => {
  const app = toAppInfo(create(AliasInfoSchema, {}));
  assert.equal(app.environmentName, 'main');
  assert.equal(app.requestStartTimeout, null);
});
