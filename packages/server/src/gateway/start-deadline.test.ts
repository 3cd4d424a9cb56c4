import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import fc from 'fast-check';
import type { Principal } from '../auth/principal.ts';
import type { Target } from '../scheduler/dispatcher.ts';
import { readStartTimeoutSeconds } from './start-deadline.ts';

const target = { accountId: 'owner', requestStartTimeoutSeconds: 7 } as Target;
const principal = (accountId: string): Principal => ({ accountId }) as Principal;

describe('the start deadline of a call', () => {
  it('is what the caller says, else the default of the app for its owner', () => {
    assert.equal(readStartTimeoutSeconds('5.0', target, principal('owner')), 5);
    assert.equal(readStartTimeoutSeconds(undefined, target, principal('owner')), 7);
    assert.equal(readStartTimeoutSeconds(undefined, target, principal('other')), null);
    assert.equal(readStartTimeoutSeconds(undefined, target, null), null);
  });

  it('is refused, or a number above zero that a database can hold, whatever comes', () => {
    const text = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.bigInt({ min: 0n, max: 10n ** 400n }).map(String),
      fc.constantFrom(
        '0',
        '0.0',
        '-1',
        '1e3',
        '0x10',
        'Infinity',
        'NaN',
        '1.',
        '.5',
        ' 2 ',
        '1,2',
        '99999999999999999999',
      ),
    );
    fc.assert(
      fc.property(text, (header) => {
        let seconds: number | null;
        try {
          seconds = readStartTimeoutSeconds(header, target, null);
        } catch (error) {
          return assert.ok(isLannerError(error) && error.code === 'bad_request', String(error));
        }
        assert.ok(seconds !== null && seconds > 0 && Number.isSafeInteger(Date.now() + Math.ceil(seconds * 1000)));
      }),
    );
  });
});
