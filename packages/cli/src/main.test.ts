import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bin } from './testing/lanner.ts';

test('a reader that has seen enough ends the command without a word', () => {
  // More than a pipe holds, to somebody who reads one line of it.
  const command = `for i in 1 2 3 4; do "${process.execPath}" "${bin}" completion zsh; done | head -n 1`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '#compdef lanner\n', '']);
});

test('help and version go to standard output, and wrong words to standard error with exit code 2', () => {
  const lanner = (...words: string[]) => spawnSync(process.execPath, [bin, ...words], { encoding: 'utf8' });
  const help = lanner('--help');
  assert.deepEqual([help.status, help.stderr], [0, '']);
  assert.match(help.stdout, /^Usage: lanner[\s\S]*apps, app +Manage applications\./);
  assert.match(
    lanner('app', 'set-rev', '--help').stdout,
    /^Usage: lanner apps set-rev \[options\] <app_name> <app_rev>/,
  );
  assert.match(lanner('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  const wrong = lanner('apps', 'lists');
  assert.deepEqual([wrong.status, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /unknown command 'lists'[\s\S]*list/);
});
