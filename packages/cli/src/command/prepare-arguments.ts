import { UsageError } from '../output.ts';
import { keyOf, type CommandSpec, type OptionSpec } from './command-spec.ts';

/** Words for the parser, and the command of another program that followed them. */
export interface PreparedArguments {
  own: string[];
  command: string[];
}

/**
 * Makes of what a person typed what the parser knows: unambiguous beginnings of long options are completed (the official
 * command takes them), `-it` is `--interactive`, and a command that follows (`exec`) is set apart: from the first word that
 * is no argument of ours, or from `--`. Pure.
 */
export function prepareArguments(words: readonly string[], spec: CommandSpec): PreparedArguments {
  const own: string[] = [];
  let positionals = spec.arguments?.length ?? 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') {
      if (spec.trailingCommand) return { own, command: words.slice(at + 1) };
      return { own: [...own, ...words.slice(at)], command: [] };
    }
    if (!word.startsWith('-') || word === '-' || /^-\d/.test(word)) {
      if (spec.trailingCommand && positionals === 0) return { own, command: words.slice(at) };
      positionals -= 1;
      own.push(word);
      continue;
    }
    const [given = '', ...rest] = word.split('=');
    const { name, option } = completeOption(given, spec);
    own.push(rest.length > 0 ? `${name}=${rest.join('=')}` : name);
    if (option && takesValue(option) && rest.length === 0) {
      // Its value is not looked at: `--message -x` is a message.
      do {
        const value = words[at + 1];
        if (value === undefined) break;
        own.push(value);
        at += 1;
      } while (isVariadic(option) && words[at + 1] !== undefined && !words[at + 1]!.startsWith('-'));
    }
  }
  return { own, command: [] };
}

function completeOption(given: string, spec: CommandSpec): { name: string; option: OptionSpec | undefined } {
  const options = spec.options ?? [];
  const exact = options.find((option) => namesOf(option).includes(given));
  if (exact) return { name: given, option: exact };
  if (given === '-it') {
    const interactive = options.find((option) => namesOf(option).includes('--interactive'));
    if (interactive) return { name: '--interactive', option: interactive };
  }
  if (!given.startsWith('--')) return { name: given, option: undefined };
  const candidates = [...options.flatMap(namesOf), '--help', '--debug'].filter((name) => name.startsWith(given));
  if (candidates.length > 1 && !candidates.includes(given)) {
    throw new UsageError(`ambiguous option: ${given} could match ${candidates.join(', ')}`);
  }
  const [name = given] = candidates;
  return { name, option: options.find((option) => namesOf(option).includes(name)) };
}

/** `-f` and `--follow` of `-f, --follow <x>`. */
export function namesOf(option: OptionSpec): string[] {
  return option.flags.split(/[ ,]+/).filter((part) => part.startsWith('-'));
}

export const takesValue = (option: OptionSpec): boolean => option.flags.includes('<');
export const isVariadic = (option: OptionSpec): boolean => option.flags.includes('...>');

/** The key of an option's value. */
export function optionKey(option: OptionSpec): string {
  return option.key ?? keyOf(option.flags);
}
