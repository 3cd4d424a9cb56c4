import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { formatVariables, maskKey } from './format-variables.ts';

const variables = { PLAIN: 'localhost:8443/run', HARD: `it's "a" $HOME \\ *`, EMPTY: '' };

test('a shell reads back what was printed for it, character for character', () => {
  const script = `eval "$FORMATTED"; printf '%s\\n%s\\n%s' "$PLAIN" "$HARD" "$EMPTY"`;
  const env = { ...process.env, FORMATTED: formatVariables(variables, 'shell') };
  assert.equal(
    execFileSync('sh', ['-c', script], { env, encoding: 'utf8' }),
    `${variables.PLAIN}\n${variables.HARD}\n`,
  );
});

test('dotenv lines are quoted only where they have to be', () => {
  assert.equal(formatVariables(variables, 'dotenv').split('\n')[0], 'PLAIN=localhost:8443/run');
  assert.equal(formatVariables({ A: 'x "y"' }, 'dotenv'), String.raw`A="x \"y\""`);
});

test('JSON is an object of strings', () => {
  assert.deepEqual(JSON.parse(formatVariables(variables, 'json')), variables);
});

test('a masked key shows its id and nothing of its secret', () => {
  assert.equal(maskKey('id:secret'), 'id:********');
});
