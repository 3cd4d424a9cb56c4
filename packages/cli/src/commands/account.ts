import type { AccountInfo } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { ConfigEditor } from '../connect/config-editor.ts';
import { configPath } from '../connect/fal-files.ts';
import { CommandError } from '../output.ts';
import { ask } from '../terminal/ask.ts';

const list = defineCommand<ConnectionOptions & OutputInput>({
  name: 'list',
  summary: 'List accounts.',
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const accounts = await accountsOf(input, context);
    const selected = selectedName(accounts, open(context));
    if (input.output === 'json') {
      printJson(context.terminal, {
        teams: accounts.map((account) => ({
          nickname: account.nickname,
          full_name: account.fullName,
          type: typeOf(account),
          is_selected: account.nickname === selected,
        })),
      });
    } else printAccounts(accounts, selected, context, (line) => context.terminal.print(line));
  },
});

const set = defineCommand<ConnectionOptions & { account: string }>({
  name: 'set',
  summary: 'Set the current account.',
  arguments: [{ name: 'account', summary: 'The account to set: nickname, or its number in the list.' }],
  options: connectionOptions,
  run: (input, context) => chooseAccount(input.account, context, open(context), input),
});

const unset = defineCommand<ConnectionOptions>({
  name: 'unset',
  summary: 'Unset the current account.',
  options: connectionOptions,
  run: async (input, context) => {
    const config = open(context);
    config.setInternal('team', undefined);
    config.save();
    const personal = (await accountsOf(input, context)).find(({ isPersonal }) => isPersonal);
    const { style } = context.terminal;
    const who = personal ? ` ${style('cyan', personal.fullName)} (${style('cyan', personal.nickname)})` : '';
    context.terminal.print(`Using personal account${who}. You can change this with \`lanner account set\``);
  },
});

export const accountCommand: CommandSpec = { name: 'account', summary: '', subcommands: [list, set, unset] };

/** Makes an account the current one: the one named, or the one picked from a list. */
export async function chooseAccount(
  wanted: string | undefined,
  context: CommandContext,
  config: ConfigEditor,
  options: ConnectionOptions = {},
): Promise<void> {
  const { terminal } = context;
  const accounts = await accountsOf(options, context);
  const account = wanted === undefined ? await pick(accounts, config, context) : find(accounts, wanted);
  if (account === undefined) {
    throw new CommandError(
      `Team ${wanted} not found`,
      `There are ${accounts.map(({ nickname }) => nickname).join(', ') || 'none'}.`,
    );
  }
  const { style } = terminal;
  terminal.print(
    `Using ${typeOf(account)} account ${style('cyan', account.fullName)} (${style('cyan', account.nickname)}). ` +
      'You can change this later with `lanner account set`',
  );
  config.setInternal('team', account.nickname);
  if (config.defaultProfile !== undefined) {
    terminal.print(`\nUnsetting profile ${style('cyan', config.defaultProfile)} to make team selection effective.`);
    config.setInternal('profile', undefined);
  }
  config.save();
}

async function pick(
  accounts: readonly AccountInfo[],
  config: ConfigEditor,
  context: CommandContext,
): Promise<AccountInfo> {
  const selected = selectedName(accounts, config);
  const current = accounts.find(({ nickname }) => nickname === selected) ?? accounts[0];
  if (current === undefined) throw new CommandError('This login has no accounts.', '');
  if (accounts.length === 1 || !context.terminal.isInteractive) return current;
  printAccounts(accounts, selected, context, (line) => context.terminal.note(line));
  for (;;) {
    const answer = (
      await ask(`Select an account by number (${accounts.indexOf(current) + 1}): `, context.signal)
    ).trim();
    const chosen = answer === '' ? current : find(accounts, answer);
    if (chosen !== undefined) return chosen;
    context.terminal.note(context.terminal.noteStyle('red', 'Please select one of the available options.'));
  }
}

function find(accounts: readonly AccountInfo[], wanted: string): AccountInfo | undefined {
  if (/^\d+$/.test(wanted)) return accounts[Number(wanted) - 1];
  return accounts.find(({ nickname }) => nickname.toLowerCase() === wanted.toLowerCase());
}

async function accountsOf(options: ConnectionOptions, context: CommandContext): Promise<AccountInfo[]> {
  const client = await context.client(options);
  const accounts = await client.accounts.teams({ signal: context.signal });
  return accounts.filter(({ lockReason }) => !lockReason?.startsWith('This account has been archived'));
}

function printAccounts(
  accounts: readonly AccountInfo[],
  selected: string | undefined,
  { terminal }: CommandContext,
  print: (line: string) => void,
): void {
  const width = Math.max(0, ...accounts.map(({ fullName }) => fullName.length));
  for (const [index, account] of accounts.entries()) {
    const isSelected = account.nickname === selected;
    const type = typeOf(account);
    const line = `${isSelected ? '*' : ' '} ${index + 1}  ${account.fullName.padEnd(width)}  ${account.nickname}  ${type[0]!.toUpperCase()}${type.slice(1)}`;
    print(isSelected ? terminal.style(['bold', 'yellow'], line) : line);
  }
}

function selectedName(accounts: readonly AccountInfo[], config: ConfigEditor): string | undefined {
  return config.team ?? accounts.find(({ isPersonal }) => isPersonal)?.nickname;
}

function typeOf(account: AccountInfo): 'personal' | 'org' | 'team' {
  return account.isPersonal ? 'personal' : account.isOrg ? 'org' : 'team';
}

function open({ environment }: CommandContext): ConfigEditor {
  return new ConfigEditor(configPath(environment));
}
