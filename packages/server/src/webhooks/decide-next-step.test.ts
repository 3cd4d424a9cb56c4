import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideNextStep, defaultRetryRules as rules, type SendOutcome } from './decide-next-step.ts';

const answered = (status: number): SendOutcome => ({ kind: 'answered', status });
const failed: SendOutcome = { kind: 'failed', reason: 'timeout' };
const after = (outcome: SendOutcome, retries = 0, nowMs = 0, before = 0) =>
  decideNextStep({
    outcome,
    delivery: { attempts: retries + before, attemptsBefore: before, begunAtMs: 0 },
    ...{ nowMs, rules, random: 0.5 },
  });

describe('after an attempt to deliver', () => {
  it('2xx is the end, a redirect and a forbidden target are an end too', () => {
    for (const status of [200, 201, 204, 299]) assert.deepEqual(after(answered(status)), { state: 'delivered' });
    for (const status of [301, 302, 304, 307, 399]) assert.deepEqual(after(answered(status)), { state: 'failed' });
    assert.deepEqual(after({ kind: 'refused', reason: 'target_refused' }), { state: 'failed' });
  });

  it('everything else is repeated, later and later, an hour apart at most', () => {
    for (const outcome of [answered(400), answered(404), answered(500), answered(503), failed]) {
      assert.deepEqual(after(outcome), { state: 'pending', nextAttemptAtMs: 2_000 });
    }
    assert.deepEqual(after(failed, 3), { state: 'pending', nextAttemptAtMs: 16_000 });
    assert.deepEqual(after(failed, 20), { state: 'pending', nextAttemptAtMs: 3_600_000 });
  });

  it('ends after 31 retries or with the horizon, and a replay has a budget of its own', () => {
    assert.deepEqual(after(failed, 31), { state: 'failed' });
    assert.deepEqual(after(failed, 0, 0, 31), { state: 'pending', nextAttemptAtMs: 2_000 });
    assert.equal(after(failed, 25, rules.horizonMs - 3_700_000).state, 'pending');
    assert.equal(after(failed, 25, rules.horizonMs - 3_000_000).state, 'failed');
  });

  it('all 31 fit into the default horizon', () => {
    let nowMs = 0;
    for (let retries = 0; retries < rules.mostRetries; retries += 1) {
      const next = decideNextStep({
        outcome: failed,
        delivery: { attempts: retries, attemptsBefore: 0, begunAtMs: 0 },
        ...{ nowMs, rules, random: 0.5 },
      });
      assert.ok(next.state === 'pending', String(retries));
      nowMs = next.nextAttemptAtMs;
    }
  });
});
