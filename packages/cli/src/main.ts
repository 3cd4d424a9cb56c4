import { CommanderError, type Command } from 'commander';
import { buildCommand, newCommand } from './command/build-command.ts';
import type { CommandInput, CommandSpec } from './command/command-spec.ts';
import { prepareArguments } from './command/prepare-arguments.ts';
import { runCommand } from './command/run-command.ts';
import { commandTable, findEntry, loadEntry } from './command-table.ts';
import { CommandError, printError } from './output.ts';
import { ownVersion } from './own-version.ts';

/**
 * Runs the `lanner` command. `argv` are the arguments after the program's name. Sets `process.exitCode`; rejects never.
 * Each command's module is loaded when it is called, so that `lanner env` does not pay for the server.
 */
export async function main(argv: readonly string[]): Promise<void> {
  let debug = argv.includes('--debug');
  // A reader that has seen enough (`| head`) is no failure of ours.
  process.stdout.on('error', onBrokenPipe);
  try {
    const { own, command, entrySpec } = await split(argv);
    debug = own.includes('--debug');
    const program = createProgram(entrySpec, async (spec, input) => {
      const given = spec.trailingCommand ? { ...input, command } : input;
      process.exitCode = await runCommand(spec, given, { debug });
    });
    await program.parseAsync(own, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      printError(error, debug);
      process.exitCode = error instanceof CommandError ? error.exitCode : 1;
    }
  }
}

/** Finds the command that is meant, loads it, and completes its options. */
async function split(
  argv: readonly string[],
): Promise<{ own: string[]; command: string[]; entrySpec: CommandSpec | undefined }> {
  const at = argv.findIndex((word) => !word.startsWith('-'));
  const entry = at < 0 ? undefined : findEntry(argv[at]!);
  if (entry === undefined) return { own: [...argv], command: [], entrySpec: undefined };
  const entrySpec = await loadEntry(entry);
  let leaf = entrySpec;
  let start = at + 1;
  while (leaf.subcommands) {
    const next = argv.findIndex((word, index) => index >= start && !word.startsWith('-'));
    const child =
      next < 0 ? undefined : leaf.subcommands.find(({ name, aliases }) => isNamed(argv[next]!, name, aliases));
    if (child === undefined) return { own: [...argv], command: [], entrySpec };
    leaf = child;
    start = next + 1;
  }
  const { own, command } = prepareArguments(argv.slice(start), leaf);
  return { own: [...argv.slice(0, start), ...own], command, entrySpec };
}

const isNamed = (word: string, name: string, aliases: readonly string[] = []): boolean =>
  word === name || aliases.includes(word);

function createProgram(
  loaded: CommandSpec | undefined,
  invoke: (spec: CommandSpec, input: CommandInput) => Promise<void>,
): Command {
  const program = newCommand('lanner', 'The open, self-hosted fal Serverless.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .addHelpText('after', '\n`lanner <command> --help` says more. Errors: `--debug` prints the stack.');
  for (const { name, summary, aliases } of commandTable) {
    program.addCommand(loaded?.name === name ? buildCommand(loaded, invoke) : newCommand(name, summary, aliases));
  }
  return program;
}

function onBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
