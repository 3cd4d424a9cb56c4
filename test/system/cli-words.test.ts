/** Every word `fal` knows is known to `lanner`: commands, aliases, arguments, options, choices. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { loadAllCommands } from '../../packages/cli/src/command-table.ts';
import type { CommandSpec } from '../../packages/cli/src/command/command-spec.ts';
import { isVariadic, namesOf, takesValue } from '../../packages/cli/src/command/prepare-arguments.ts';
import { ensurePythonEnv } from '../../scripts/python-env.ts';

interface Facts {
  choices: string[] | null;
  takesValue: boolean;
  variadic: boolean;
}
interface Words {
  aliases?: string[];
  options: Record<string, Facts>;
  arguments: (Facts & { name: string; required: boolean })[];
}

/** docs/cli-differences.md: about Python, and shells whose completion is not made. */
const leftOut = { options: ['--pdb', '--cprofile'], choices: ['tcsh'] };

test('lanner knows every command, alias, argument, option and choice of fal', async () => {
  const { python } = await ensurePythonEnv();
  const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, 'fal_words.py')]);
  const theirs = JSON.parse(stdout) as Record<string, Words>;
  const ours = new Map<string, CommandSpec>();
  const visit = (spec: CommandSpec, path: string): void => {
    ours.set(path, spec);
    for (const child of spec.subcommands ?? []) visit(child, `${path} ${child.name}`);
  };
  for (const command of await loadAllCommands()) visit(command, command.name);

  assert.ok(Object.keys(theirs).length > 60, stdout);
  for (const [path, words] of Object.entries(theirs)) {
    if (path === '') continue;
    const spec = ours.get(path);
    assert.ok(spec, `there is no command "${path}"`);
    assert.deepEqual([...(spec.aliases ?? [])].sort(), [...(words.aliases ?? [])].sort(), `aliases of ${path}`);
    checkArguments(path, spec, words);
    for (const [names, facts] of Object.entries(words.options))
      checkOption(`${path} ${names}`, names.split(' '), spec, facts);
  }
});

function checkArguments(path: string, spec: CommandSpec, words: Words): void {
  const own = spec.arguments ?? [];
  const followed = spec.trailingCommand ? [{ name: 'command', required: true, variadic: true }] : [];
  const all = [...own, ...followed].slice(0, words.arguments.length);
  assert.deepEqual(
    all.map(({ required = true, variadic = false }) => ({ required, variadic })),
    words.arguments.map(({ required, variadic }) => ({ required, variadic })),
    `arguments of ${path}`,
  );
  for (const [index, { choices }] of words.arguments.entries()) {
    const wanted = choices?.filter((choice) => !leftOut.choices.includes(choice));
    if (wanted) assert.deepEqual([...(own[index]!.choices ?? [])].sort(), wanted, `choices of an argument of ${path}`);
  }
}

function checkOption(what: string, names: string[], spec: CommandSpec, facts: Facts): void {
  // --debug is known everywhere, without being in the table.
  if (names.includes('--debug') || names.some((name) => leftOut.options.includes(name))) return;
  for (const name of names) {
    if (name === '-it') continue; // is made --interactive before the parser sees it
    const option = (spec.options ?? []).find((candidate) => namesOf(candidate).includes(name));
    assert.ok(option, `${what} is missing`);
    assert.equal(takesValue(option), facts.takesValue, `${what} takes a value`);
    assert.equal(isVariadic(option), facts.variadic, `${what} takes several values`);
    if (facts.choices) assert.deepEqual([...(option.choices ?? [])].sort(), facts.choices, `choices of ${what}`);
  }
}
