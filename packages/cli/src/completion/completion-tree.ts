import type { CommandSpec } from '../command/command-spec.ts';
import { namesOf, takesValue } from '../command/prepare-arguments.ts';

/** A word that can be completed, with what it means. */
export interface Choice {
  word: string;
  summary: string;
}

/** A place in the command line: after these words, these can follow. */
export interface CompletionNode {
  /** Names from the root, without `lanner`; empty for the root. */
  path: string;
  /** Words that lead on to another place, aliases too, and that place. */
  children: { words: string[]; path: string; summary: string }[];
  options: Choice[];
  /** Values of options, by name; an empty list is a file or free text. */
  values: { names: string[]; choices: readonly string[] }[];
  /** Values of the arguments, where they are known. */
  arguments: Choice[];
}

/** All places of a command table, the root first. Pure. */
export function completionTree(commands: readonly CommandSpec[]): CompletionNode[] {
  const root: CommandSpec = { name: '', summary: '', subcommands: commands };
  return visit(root, '');
}

function visit(spec: CommandSpec, path: string): CompletionNode[] {
  const children = (spec.subcommands ?? []).map((child) => ({
    words: [child.name, ...(child.aliases ?? [])],
    path: path === '' ? child.name : `${path} ${child.name}`,
    summary: child.summary,
  }));
  const shown = (spec.options ?? []).filter(({ hidden }) => hidden !== true);
  const node: CompletionNode = {
    path,
    children,
    options: [
      ...shown.flatMap((option) => namesOf(option).map((word) => ({ word, summary: option.summary }))),
      { word: '--help', summary: 'print help' },
      ...(path === '' ? [{ word: '--version', summary: 'print the version' }] : []),
    ],
    values: shown.filter(takesValue).map((option) => ({ names: namesOf(option), choices: option.choices ?? [] })),
    arguments: (spec.arguments ?? []).flatMap(({ choices = [], summary }) =>
      choices.map((word) => ({ word, summary })),
    ),
  };
  return [node, ...(spec.subcommands ?? []).flatMap((child, index) => visit(child, children[index]!.path))];
}
