import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge, type CampaignFacts } from './judge.ts';

const facts = (given: Partial<CampaignFacts>): CampaignFacts => ({
  acknowledged: new Map([['a', 1]]),
  results: [{ requestId: 'a', verdict: 'OK', detail: '' }],
  executions: [{ requestId: 'a', number: 1, atMs: 1000 }],
  kills: [],
  ...given,
});

describe('the judge of a chaos campaign', () => {
  it('is content with one execution and one right result', () => {
    assert.deepEqual(judge(facts({})), { acknowledged: 1, lost: [], doubled: [], repeated: 0, unacknowledged: 0 });
  });

  it('finds what has no result, an error, or the result of another input', () => {
    assert.deepEqual(judge(facts({ results: [] })).lost, ['a']);
    assert.deepEqual(judge(facts({ results: [{ requestId: 'a', verdict: 'LOST', detail: '500' }] })).lost, ['a']);
    assert.deepEqual(judge(facts({ results: [{ requestId: 'a', verdict: 'WRONG', detail: '' }] })).lost, ['a']);
  });

  it('allows a second execution after the kill of a runner, and not after that of a server', () => {
    const executions = [1000, 3000].map((atMs) => ({ requestId: 'a', number: 1, atMs }));
    const after = (victim: 'server' | 'supervisor' | 'runner', atMs = 2000) =>
      judge(facts({ executions, kills: [{ victim, atMs }] }));
    assert.equal(after('runner').repeated, 1);
    assert.equal(after('supervisor').repeated, 1);
    assert.deepEqual(after('server').doubled, ['a']);
    assert.deepEqual(after('runner', 500).doubled, ['a']);
    assert.deepEqual(judge(facts({ executions })).doubled, ['a']);
  });

  it('counts what ran for callers who never heard of it', () => {
    const executions = [{ requestId: 'b', number: 2, atMs: 1 }];
    assert.equal(judge(facts({ executions })).unacknowledged, 1);
  });
});
