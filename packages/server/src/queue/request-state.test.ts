import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextState, type RequestEvent, type RequestState } from './request-state.ts';

const states: RequestState[] = ['waiting', 'running', 'ended'];
const events: RequestEvent[] = ['claim', 'requeue', 'finish', 'finishWaiting', 'requestCancel'];

describe('the states of a request', () => {
  it('moves along the arrows of the drawing and no others', () => {
    const arrows = states.flatMap((state) =>
      events.flatMap((event) => {
        const next = nextState(state, event, { held: 'a', presented: 'a' });
        return next === null ? [] : [`${state} ${event} ${next}`];
      }),
    );
    assert.deepEqual(arrows, [
      'waiting claim running',
      'waiting finishWaiting ended',
      'running requeue waiting',
      'running finish ended',
      'running requestCancel running',
    ]);
  });

  it('lets only the holder of the latest lease end an attempt', () => {
    for (const event of ['requeue', 'finish'] as const) {
      assert.equal(nextState('running', event, { held: 'new', presented: 'old' }), null);
      assert.equal(nextState('running', event, { held: null, presented: 'old' }), null);
      assert.equal(nextState('running', event), null);
    }
  });
});
