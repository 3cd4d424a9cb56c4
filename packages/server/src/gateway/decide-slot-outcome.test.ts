import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readVerdict } from './caller-response-headers.ts';
import { decideSlotOutcome } from './decide-slot-outcome.ts';

const decide = (status: number, headers: Record<string, string> = {}): string =>
  decideSlotOutcome(status, readVerdict(headers)).kind;

describe('decideSlotOutcome', () => {
  it('leaves the runner alone after 2xx, 3xx and 4xx', () => {
    for (const status of [200, 204, 302, 404, 422, 429, 499]) assert.equal(decide(status), 'done');
  });

  it('asks for a check after 500, 502 and 504, and replaces the runner after 503', () => {
    for (const status of [500, 502, 504]) assert.equal(decide(status), 'check');
    assert.equal(decide(503), 'terminate');
    assert.equal(decide(501), 'done');
  });

  it('does what x-fal-stop-runner says, whatever the status', () => {
    for (const value of ['1', 'true', 'True']) assert.equal(decide(200, { 'x-fal-stop-runner': value }), 'terminate');
    for (const value of ['0', 'false']) {
      assert.equal(decide(503, { 'x-fal-stop-runner': value }), 'done');
      assert.equal(decide(500, { 'x-fal-stop-runner': value }), 'done');
    }
    assert.equal(decide(503, { 'x-fal-stop-runner': 'perhaps' }), 'terminate');
  });

  it('passes hints on, an empty list included', () => {
    const outcome = (value: string): unknown => decideSlotOutcome(200, readVerdict({ 'x-fal-runner-hints': value }));
    assert.deepEqual(outcome('a, b'), { kind: 'done', hints: ['a', 'b'] });
    assert.deepEqual(outcome(''), { kind: 'done', hints: [] });
    assert.deepEqual(decideSlotOutcome(200, readVerdict({})), { kind: 'done' });
  });
});
