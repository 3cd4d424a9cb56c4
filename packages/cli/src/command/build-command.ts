import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../output.ts';
import { keyOf, type CommandInput, type CommandSpec, type OptionSpec } from './command-spec.ts';
import { optionKey } from './prepare-arguments.ts';

/** Runs a command with what was parsed. */
export type Invoke = (spec: CommandSpec, input: CommandInput) => Promise<void>;

/** A spec for the parser: the one place that knows how its library wants to be told. */
export function buildCommand(spec: CommandSpec, invoke: Invoke, parent = 'lanner'): Command {
  const command = newCommand(spec.name, spec.summary, spec.aliases);
  const path = `${parent} ${spec.name}`;
  if (spec.run) command.showHelpAfterError(`\`${path} --help\` says what it takes.`);
  command.description(spec.description ?? spec.summary).summary(spec.summary);
  if (spec.examples)
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
  for (const child of spec.subcommands ?? []) command.addCommand(buildCommand(child, invoke, path));
  if (!spec.run) return command;
  for (const argument of spec.arguments ?? []) {
    const { name, summary, required = true, variadic = false } = argument;
    const dots = variadic ? '...' : '';
    const made = new Argument(required ? `<${name}${dots}>` : `[${name}${dots}]`, summary);
    if (argument.choices) made.choices([...argument.choices]);
    if (argument.default !== undefined) made.default(argument.default);
    command.addArgument(made);
  }
  for (const option of spec.options ?? []) command.addOption(buildOption(option));
  const { trailingCommand } = spec;
  if (trailingCommand) {
    const names = (spec.arguments ?? []).map(({ name }) => `<${name}>`).join(' ');
    const usage = `[options] ${names} [--] <command> [arguments...]`;
    command.usage(usage.replace('  ', ' ')).addHelpText('after', `\n${trailingCommand.summary}`);
  }
  command.action(async (...parts: unknown[]) => {
    const values = parts.slice(0, spec.arguments?.length ?? 0);
    const input: CommandInput = {};
    for (const [index, { name }] of (spec.arguments ?? []).entries()) input[keyOf(name)] = values[index];
    await invoke(spec, { ...input, ...readOptions(command, spec.options ?? []) });
  });
  return command;
}

/** A command with our rules and nothing else: for groups, and for commands whose spec is not loaded. */
export function newCommand(name: string, summary: string, aliases: readonly string[] = []): Command {
  return new Command(name)
    .description(summary)
    .aliases([...aliases])
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addOption(new Option('--debug', 'print the stack of an error').hideHelp())
    .configureHelp({
      helpWidth: Math.min(process.stdout.columns || 100, 120),
      showGlobalOptions: false,
      subcommandTerm: (child) => [[child.name(), ...child.aliases()].join(', '), argumentsOf(child)].join(' ').trim(),
    })
    .exitOverride();
}

function argumentsOf(command: Command): string {
  return command.registeredArguments
    .map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`))
    .join(' ');
}

function buildOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.summary);
  if (spec.choices) option.choices([...spec.choices]);
  else if (spec.repeatable) {
    const parse = spec.parse ?? ((text: string) => text);
    option.argParser((text: string, previous: unknown) => [
      ...(Array.isArray(previous) ? (previous as unknown[]) : []),
      parsed(parse, text),
    ]);
  } else if (spec.parse) {
    const { parse } = spec;
    option.argParser((text: string) => parsed(parse, text));
  }
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.conflicts) option.conflicts([...spec.conflicts]);
  if (spec.hidden) option.hideHelp();
  return option;
}

function parsed(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** Values by their keys; what was not given and has no default is absent. */
function readOptions(command: Command, specs: readonly OptionSpec[]): CommandInput {
  const input: CommandInput = {};
  for (const spec of specs) {
    const name = new Option(spec.flags).attributeName();
    const isGiven = command.getOptionValueSource(name) === 'cli';
    if (isGiven && spec.preset !== undefined) input[optionKey(spec)] = spec.preset;
    else if (isGiven || spec.default !== undefined) input[optionKey(spec)] ??= command.getOptionValue(name);
  }
  return input;
}
