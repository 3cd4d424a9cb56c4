import type { CommandContext } from './command-context.ts';

/** A word after the command's name. */
export interface ArgumentSpec {
  /** As it is shown in help; the key under which the value arrives, in camelCase. */
  name: string;
  summary: string;
  /** Default `true`. */
  required?: boolean;
  /** Takes all words that are left. */
  variadic?: boolean;
  choices?: readonly string[];
  default?: string;
}

/** A flag. Its value arrives under its long name in camelCase, or under `key`. */
export interface OptionSpec {
  /** `-f, --follow`, `--filter <text>`, `--state <states...>`; a second long name, `--json`, needs an entry of its own. */
  flags: string;
  summary: string;
  choices?: readonly string[];
  default?: string | boolean;
  /** The value of a flag without argument, when it is not `true`. */
  preset?: string | boolean;
  key?: string;
  /** May be given several times; the values come as a list. */
  repeatable?: boolean;
  /** Reads the text; throws a {@link UsageError} when it cannot. */
  parse?: (text: string) => unknown;
  /** Other flags (long names in camelCase) that cannot be given beside it. */
  conflicts?: readonly string[];
  /** Left out of help and completions. */
  hidden?: boolean;
}

/** What a command was given: arguments and options by their keys. */
export type CommandInput = Record<string, unknown>;

/**
 * One command, as data: parser, help, completions and docs are made from it. A group has `subcommands`, everything else
 * has `run`.
 */
export interface CommandSpec {
  name: string;
  aliases?: readonly string[];
  /** One line, for the list of commands. */
  summary: string;
  /** More, for its own help. */
  description?: string;
  examples?: readonly string[];
  arguments?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  subcommands?: readonly CommandSpec[];
  /** How the words of a command that follows (`exec`) are shown in its usage; they arrive as `command`. */
  trailingCommand?: { summary: string; required: boolean };
  /** Deals with signals itself: it runs a server or another program. */
  ownSignals?: boolean;
  /** Returns the exit code; nothing is 0. */
  run?: (input: CommandInput, context: CommandContext) => Promise<number | void> | number | void;
}

/** What the root help needs to know, without loading the command. */
export interface CommandEntry {
  name: string;
  aliases?: readonly string[];
  summary: string;
  load: () => Promise<CommandSpec>;
}

/** A command whose input has a type: what the flags and arguments of its spec say. */
export function defineCommand<Input>(
  spec: Omit<CommandSpec, 'run' | 'subcommands'> & {
    run: (input: Input, context: CommandContext) => Promise<number | void> | number | void;
  },
): CommandSpec {
  return { ...spec, run: (input, context) => spec.run(input as Input, context) };
}

/** `app_name` or `--max-concurrency <n>` → the key its value arrives under. */
export function keyOf(name: string): string {
  const long = /--(?:no-)?([a-z0-9-]+)/.exec(name)?.[1] ?? name;
  return long.toLowerCase().replaceAll(/[-_](\w)/g, (_, letter: string) => letter.toUpperCase());
}
