import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hideCredentials } from './hide-credentials.ts';

it('addresses are shown without users, passwords and channel tokens', () => {
  assert.equal(
    hideCredentials('x @ https://ada:pw@host/a and https://host/t/tk-1234/channel/t/stays, twice https://b@host'),
    'x @ https://***@host/a and https://host/t/***/channel/t/stays, twice https://***@host',
  );
  assert.equal(hideCredentials('six==1.16 from https://host/simple'), 'six==1.16 from https://host/simple');
});
