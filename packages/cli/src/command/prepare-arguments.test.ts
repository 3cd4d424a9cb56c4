import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UsageError } from '../output.ts';
import type { CommandSpec } from './command-spec.ts';
import { prepareArguments } from './prepare-arguments.ts';

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));
const dataDir = { flags: '--data-dir <folder>', summary: '' };

describe('a command that is followed by another', () => {
  const exec: CommandSpec = {
    name: 'exec',
    summary: '',
    options: [dataDir],
    trailingCommand: { summary: '', required: true },
  };
  for (const [line, own, command] of [
    ['-- python a.py --data-dir x', '', 'python a.py --data-dir x'],
    ['python --version', '', 'python --version'],
    ['--data-dir d -- ls -la', '--data-dir d', 'ls -la'],
    ['--data-dir=d ls -- x', '--data-dir=d', 'ls -- x'],
    ['--debug -- ls', '--debug', 'ls'],
    ['--', '', ''],
    ['', '', ''],
    ['--help', '--help', ''],
  ] as const) {
    test(`"exec ${line}" keeps "${own}" and runs "${command}"`, () => {
      assert.deepEqual(prepareArguments(words(line), exec), { own: words(own), command: words(command) });
    });
  }

  const onRunner: CommandSpec = {
    ...exec,
    arguments: [{ name: 'id', summary: '' }],
    options: [
      { flags: '-i, --interactive', summary: '' },
      { flags: '--team <team>', summary: '' },
    ],
  };
  for (const [line, own, command] of [
    ['id -it -- ls -it', 'id --interactive', 'ls -it'],
    ['-it id ls', '--interactive id', 'ls'],
    ['id --team a ls --team b', 'id --team a', 'ls --team b'],
    ['id', 'id', ''],
  ] as const) {
    test(`"runners exec ${line}" keeps "${own}" and runs "${command}"`, () => {
      assert.deepEqual(prepareArguments(words(line), onRunner), { own: words(own), command: words(command) });
    });
  }
});

describe('options', () => {
  const spec: CommandSpec = {
    name: 'scale',
    summary: '',
    arguments: [{ name: 'app_name', summary: '' }],
    options: [
      { flags: '--max-concurrency <n>', summary: '' },
      { flags: '--max-multiplexing <n>', summary: '' },
      { flags: '--regions <regions...>', summary: '' },
      { flags: '--message <text>', summary: '' },
      { flags: '--env <env>', summary: '' },
    ],
  };
  const own = (line: string): string => prepareArguments(words(line), spec).own.join(' ');

  test('are completed from any unambiguous beginning, with = too', () => {
    assert.equal(own('app --max-c 3 --reg a b'), 'app --max-concurrency 3 --regions a b');
    assert.equal(own('--max-m=3 app --e x'), '--max-multiplexing=3 app --env x');
  });

  test('that could be two are refused, with both names', () => {
    assert.throws(
      () => own('app --max 3'),
      (error) => error instanceof UsageError && /--max-concurrency, --max-multiplexing/.test(error.message),
    );
  });

  test('that are unknown are left to the parser, and so is everything after --', () => {
    assert.equal(own('app --nothing'), 'app --nothing');
    assert.equal(own('-- --max-c'), '-- --max-c');
  });

  test('may have values that look like options', () => {
    assert.equal(own('--message --env app'), '--message --env app');
    assert.equal(own('--max-c -1 app'), '--max-concurrency -1 app');
  });
});
