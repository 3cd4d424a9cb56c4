import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideExit, type EndFacts } from './exit-reason.ts';

const facts = (more: Partial<EndFacts>): EndFacts => ({
  purpose: 'serve',
  wasReady: false,
  isOutOfMemory: false,
  ...more,
});
const returned = { wasRaised: false };
const stopped = { reason: 'stopped', message: 'asked' } as const;

describe('decideExit', () => {
  for (const [name, given, reason] of [
    ['a function that returned', { purpose: 'run', result: returned, appExit: { code: 0, signal: null } }, 'finished'],
    [
      'a function that returned while being stopped',
      { purpose: 'run', result: returned, endedBy: stopped },
      'finished',
    ],
    ['a function that left through os._exit', { purpose: 'run', appExit: { code: 0, signal: null } }, 'crashed'],
    ['an app that was stopped', { endedBy: stopped, appExit: { code: null, signal: 'SIGTERM' } }, 'stopped'],
    [
      'an app that had to be killed after its grace',
      { endedBy: stopped, appExit: { code: null, signal: 'SIGKILL' } },
      'stopped',
    ],
    ['an app whose setup raised', { result: { wasRaised: true }, appExit: { code: 1, signal: null } }, 'crashed'],
    [
      'an app that returned though it should serve',
      { wasReady: true, result: returned, appExit: { code: 0, signal: null } },
      'crashed',
    ],
    [
      'an app killed for want of memory',
      { isOutOfMemory: true, appExit: { code: null, signal: 'SIGKILL' } },
      'out_of_memory',
    ],
    ['an app killed by somebody', { appExit: { code: null, signal: 'SIGKILL' } }, 'crashed'],
    ['a runner whose connection broke', {}, 'crashed'],
    [
      'a runner that failed before its app',
      { appExit: { code: 125, signal: null }, bridgeError: 'no mounts' },
      'sandbox_failed',
    ],
    ['an app that exits with 125 itself', { appExit: { code: 125, signal: null } }, 'crashed'],
  ] as const) {
    it(`says ${reason} of ${name}`, () => {
      const exit = decideExit(facts(given as Partial<EndFacts>));
      assert.equal(exit.reason, reason);
      assert.match(exit.message, /./);
    });
  }

  it('says what became of a callable that should serve', () => {
    const message = (more: Partial<EndFacts>): string =>
      decideExit(facts({ appExit: { code: 0, signal: null }, ...more })).message;
    assert.match(
      message({ result: returned, exposedPort: 8080 }),
      /The function returned, but nothing listened on port 8080\..*`fal run`/,
    );
    assert.match(message({ result: returned, wasReady: true }), /returned although it should serve/);
    assert.equal(
      message({ result: { wasRaised: true, exceptionTypeName: 'ValueError', exceptionMessage: 'bad luck' } }),
      'The app raised ValueError: bad luck',
    );
    assert.equal(message({ result: { wasRaised: true } }), 'The app raised an exception');
    const failure = { code: 'deserialization_failed', message: 'It cannot be loaded.' } as const;
    assert.equal(message({ result: { wasRaised: false, failure } }), 'It cannot be loaded.');
  });

  it('passes on status and signal of the app', () => {
    const exit = decideExit(facts({ endedBy: stopped, appExit: { code: null, signal: 'SIGTERM' } }));
    assert.deepEqual(exit, { reason: 'stopped', code: null, signal: 'SIGTERM', message: 'asked' });
  });
});
