import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import type { CommandSpec } from '../command/command-spec.ts';
import { loadAllCommands } from '../command-table.ts';
import { completionTree } from './completion-tree.ts';
import { completionScript, type Shell } from './shell-scripts.ts';

const small: CommandSpec[] = [
  {
    name: 'apps',
    aliases: ['app'],
    summary: "Manage the platform's apps: all of them.",
    subcommands: [
      {
        name: 'list',
        summary: 'List apps.',
        options: [
          { flags: '-o, --output <format>', summary: 'Form.', choices: ['pretty', 'json'] },
          { flags: '--host <host>', summary: '', hidden: true },
          { flags: '--filter <text>', summary: 'Only these.' },
        ],
        run: () => undefined,
      },
    ],
  },
  {
    name: 'create',
    summary: 'Create.',
    arguments: [{ name: 'type', summary: 'What.', choices: ['app'] }],
    run: () => undefined,
  },
];
const script = (shell: Shell, commands = small): string => completionScript(shell, completionTree(commands));

/** What bash offers for the last of these words. */
function offered(words: string[], commands = small): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const ask = `${script('bash', commands)}\nCOMP_WORDS=(lanner ${quoted}); COMP_CWORD=${words.length}; _lanner 2>/dev/null; echo "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', ask], { encoding: 'utf8' }).trim().split(' ').filter(Boolean);
}

describe('completion', () => {
  test('in bash offers commands, aliases, options and values, at their place', () => {
    assert.deepEqual(offered(['']), ['apps', 'app', 'create']);
    assert.deepEqual(offered(['ap']), ['apps', 'app']);
    assert.deepEqual(offered(['app', '']), ['list']);
    assert.deepEqual(offered(['apps', 'list', '--']), ['--output', '--filter', '--help']);
    assert.deepEqual(offered(['apps', 'list', '-o', '']), ['pretty', 'json']);
    assert.deepEqual(offered(['--debug', 'apps', 'list', '--output', 'j']), ['json']);
    assert.deepEqual(offered(['create', '']), ['app']);
  });

  test('of the real table knows what people type', async () => {
    const commands = await loadAllCommands();
    assert.ok(offered(['runners', 'list', '--state', ''], commands).includes('crash_backoff'));
    assert.ok(offered(['machine', 'l'], commands).includes('logs'));
    assert.ok(offered(['apps', 'scale', 'my-app', '--max'], commands).includes('--max-concurrency'));
  });

  test('names every command in zsh and fish, with quotes that hold', async () => {
    const commands = await loadAllCommands();
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const text = script(shell, commands);
      for (const word of ['apps', 'set-rev', 'machine', 'upload-url', 'crash_backoff'])
        assert.ok(text.includes(word), word);
      // A shell that is there reads it; every quote in it is closed.
      const check = spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' });
      if (check.error === undefined) assert.equal(check.status, 0, check.stderr);
    }
    assert.ok(script('fish').includes(String.raw`-d 'Manage the platform'\''s apps: all of them.'`));
    assert.ok(script('zsh').includes(String.raw`'apps:Manage the platform'\''s apps: all of them.'`));
  });
});
