import { loadAllCommands } from '../packages/cli/src/command-table.ts';
import type { CommandSpec } from '../packages/cli/src/command/command-spec.ts';

/** `docs/cli.md`: every command of the table with its arguments and options. */
export async function renderCliDoc(): Promise<string> {
  const commands = await loadAllCommands();
  return [
    '# The `lanner` command',
    '',
    'Generated from the command table (`packages/cli/src/command-table.ts`) by `npm run generate`. Where it differs from `fal`:',
    '[cli-differences.md](cli-differences.md), which also says where a command looks for its platform.',
    '',
    'Long options may be shortened to an unambiguous beginning. `--debug` prints the stack of an error. Exit codes: 0 success,',
    '1 failure or Ctrl-C, 2 wrong words; `exec` passes on those of the command it runs. Data goes to standard output, everything',
    'else to standard error.',
    '',
    ...commands.flatMap((command) => section(command, 'lanner')),
  ].join('\n');
}

function section(spec: CommandSpec, parent: string): string[] {
  const path = `${parent} ${spec.name}`;
  const isRoot = parent === 'lanner';
  const aliases = spec.aliases?.length ? ` (also ${spec.aliases.map((name) => `\`${name}\``).join(', ')})` : '';
  const lines = [
    `${isRoot ? '##' : '###'} \`${usage(spec, path)}\`${aliases}`,
    '',
    spec.description ?? spec.summary,
    '',
  ];
  const rows = [
    ...(spec.arguments ?? []).map(({ name, summary, choices }) => row(`\`${name}\``, summary, choices)),
    ...(spec.options ?? [])
      .filter(({ hidden }) => hidden !== true)
      .map(({ flags, summary, choices, default: fallback }) => row(`\`${flags}\``, summary, choices, fallback)),
  ];
  if (rows.length > 0) lines.push('| | |', '|---|---|', ...rows, '');
  if (spec.examples) lines.push('```sh', ...spec.examples, '```', '');
  return [...lines, ...(spec.subcommands ?? []).flatMap((child) => section(child, path))];
}

function usage(spec: CommandSpec, path: string): string {
  const words = (spec.arguments ?? []).map(({ name, required = true, variadic = false }) => {
    const dots = variadic ? '...' : '';
    return required ? `<${name}${dots}>` : `[${name}${dots}]`;
  });
  if (spec.trailingCommand) words.push('[--] <command> [arguments...]');
  if (spec.subcommands) words.push('<command>');
  return [path, ...words].join(' ');
}

function row(name: string, summary: string, choices?: readonly string[], fallback?: string | boolean): string {
  const facts = [
    ...(choices ? [`one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`] : []),
    ...(typeof fallback === 'string' ? [`default \`${fallback}\``] : []),
  ];
  const text = facts.length > 0 ? `${summary} (${facts.join('; ')})` : summary;
  const escaped = (part: string): string => part.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
  return `| ${escaped(name)} | ${escaped(text)} |`;
}
