import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitExecArguments } from './split-exec-arguments.ts';

for (const [line, own, command] of [
  ['exec -- python a.py --data-dir x', 'exec', 'python a.py --data-dir x'],
  ['exec python --version', 'exec', 'python --version'],
  ['exec --data-dir d -- ls -la', 'exec --data-dir d', 'ls -la'],
  ['exec --data-dir=d ls -- x', 'exec --data-dir=d', 'ls -- x'],
  ['--debug exec --debug -- ls', '--debug exec --debug', 'ls'],
  ['exec --', 'exec', ''],
  ['exec', 'exec', ''],
  ['exec --help', 'exec --help', ''],
  ['env --mode path', 'env --mode path', ''],
  ['--version', '--version', ''],
  ['', '', ''],
] as const) {
  test(`"lanner ${line}" keeps "${own}" and runs "${command}"`, () => {
    const words = (text: string): string[] => (text === '' ? [] : text.split(' '));
    assert.deepEqual(splitExecArguments(words(line)), { own: words(own), command: words(command) });
  });
}
