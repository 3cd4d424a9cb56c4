import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunnerExit } from '@lanner/protocol';
import { finishedExit, pickledResult } from '../testing/scripted-fleet.ts';
import { toReturnValue } from './run-outcome.ts';

const bytes = Buffer.from('pickled');
const anExit = (more: Partial<RunnerExit>): RunnerExit => ({
  reason: 'crashed',
  code: null,
  signal: null,
  message: 'It ended with exit code 3.',
  ...more,
});

describe('toReturnValue', () => {
  it('passes the bytes of a value on', () => {
    const value = toReturnValue({ result: pickledResult, exit: finishedExit, resultBytes: bytes });
    assert.equal(value.method, 'cloudpickle');
    assert.deepEqual(Buffer.from(value.definition), bytes);
    assert.equal(value.wasItRaised, false);
    assert.equal(value.exceptionMessage, undefined);
    assert.equal(value.stringizedTraceback, undefined);
  });

  it('passes a raised exception on, an empty message included', () => {
    const result = {
      ...pickledResult,
      wasRaised: true,
      stringizedTraceback: 'Traceback …',
      exceptionTypeName: 'KeyError',
      exceptionMessage: '',
    };
    const value = toReturnValue({ result, exit: finishedExit, resultBytes: bytes });
    assert.equal(value.wasItRaised, true);
    assert.equal(value.stringizedTraceback, 'Traceback …');
    assert.equal(value.exceptionTypeName, 'KeyError');
    assert.equal(value.exceptionMessage, '');
  });

  it('is a refusal when the result cannot be pickled', () => {
    const message = "Error while serializing the execution result (object of type <class 'module'>).";
    const result = { ...pickledResult, failure: { code: 'result_not_serializable' as const, message } };
    assert.throws(() => toReturnValue({ result, exit: finishedExit, resultBytes: null }), {
      code: 'result_not_serializable',
      message,
    });
  });

  for (const exit of [anExit({ signal: 'SIGKILL' }), anExit({ reason: 'out_of_memory' })]) {
    it(`ends with the words that clients take for memory exhaustion (${exit.reason})`, () => {
      assert.throws(
        () => toReturnValue({ result: null, exit, resultBytes: null }),
        (error: Error) => error.message.endsWith('died with <Signals.SIGKILL: 9>.`.'),
      );
    });
  }

  it('does not take a runner that somebody killed for one that had too little memory', () => {
    const exit = anExit({ reason: 'killed', signal: 'SIGKILL', message: 'It was killed by its owner.' });
    assert.throws(() => toReturnValue({ result: null, exit, resultBytes: null }), {
      code: 'runner_crashed',
      message: /ended before its code returned: It was killed by its owner\./,
    });
  });

  it('says how the process ended', () => {
    assert.throws(() => toReturnValue({ result: null, exit: anExit({ code: 3 }), resultBytes: null }), {
      code: 'runner_crashed',
      message: /exit code 3/,
    });
    assert.throws(
      () => toReturnValue({ result: null, exit: anExit({ reason: 'startup_timeout' }), resultBytes: null }),
      {
        code: 'startup_timeout',
      },
    );
  });
});
