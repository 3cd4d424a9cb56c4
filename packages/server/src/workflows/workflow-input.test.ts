import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { completeInput } from './workflow-input.ts';

const schema = {
  properties: { x: { type: 'integer' }, size: { type: 'string', default: 'small' }, none: { default: null } },
  required: ['x'],
};

describe('the input of a workflow', () => {
  it('gets the defaults of its schema for what was left out', () => {
    assert.deepEqual(completeInput({ x: 1 }, schema), { input: { x: 1, size: 'small', none: null } });
    assert.deepEqual(completeInput({ x: 1, size: null, more: 2 }, schema), {
      input: { x: 1, size: null, none: null, more: 2 },
    });
  });

  it('is refused without what is required', () => {
    assert.deepEqual(completeInput({ y: 1 }, schema), {
      missing: [{ loc: ['body', 'x'], msg: 'Field required', type: 'missing' }],
    });
  });

  it('may be anything where there is no schema', () => {
    assert.deepEqual(completeInput([1], schema), { input: [1] });
    assert.deepEqual(completeInput({ a: 1 }, {}), { input: { a: 1 } });
    assert.deepEqual(completeInput({ a: 1 }, { properties: [], required: 'a' }), { input: { a: 1 } });
  });
});
