import assert from 'node:assert/strict';
import { it } from 'node:test';
import { requirementSecretNames } from './requirement-secrets.ts';

it('the secrets that requirements mention are found in lists and in layers, each once', () => {
  const names = (requirements: string[] | string[][]): string[] =>
    requirementSecretNames({ kind: 'virtualenv', configuration: { requirements, python_version: '${NOT}' } });
  assert.deepEqual(names(['six', '--extra-index-url https://${USER}:${TOKEN}@pypi', 'x @ https://${TOKEN}@host']), [
    'USER',
    'TOKEN',
  ]);
  assert.deepEqual(names([['${A}'], ['b', '${C_1}']]), ['A', 'C_1']);
  assert.deepEqual(names(['$A ${} ${1} ${a-b}']), []);
  assert.deepEqual(requirementSecretNames({ kind: 'conda', configuration: {} }), []);
});
