import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Json } from '@lanner/protocol';
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

it('conda environments mention them in their lists and in their YAML, as an object or as text', () => {
  const names = (configuration: { [key: string]: Json }): string[] =>
    requirementSecretNames({ kind: 'conda', configuration });
  assert.deepEqual(
    names({ packages: ['a'], channels: ['https://host/t/${TOKEN}/c'], pip: ['x @ https://${P}@host'] }),
    ['P', 'TOKEN'],
  );
  assert.deepEqual(names({ env_dict: { channels: ['${A}'], dependencies: ['b', { pip: ['${B}'] }] } }), ['A', 'B']);
  assert.deepEqual(names({ env_yml_str: 'channels: ["https://${USER}:${PASS}@host"]' }), ['USER', 'PASS']);
});
