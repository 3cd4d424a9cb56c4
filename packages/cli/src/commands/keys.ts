import type { KeyPreset } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { CommandError } from '../output.ts';
import { ask } from '../terminal/ask.ts';
import { pythonTime } from '../terminal/python-text.ts';

/** What each preset is for, in the order of the official command's menu. */
const presets: Readonly<Record<KeyPreset, string>> = {
  FULL: 'Everything in your account.',
  API: 'Call apps and upload files.',
  DEPLOY: 'Deploy apps and upload files.',
  READONLY: 'Read apps, models and logs.',
  BILLING: 'Read usage and invoices.',
  COMPUTE: 'Manage machines and runners.',
  SERVERLESS: 'Build, deploy and run apps; storage.',
  AGENT: 'Run agents, where the account has them.',
};
const presetNames = Object.keys(presets) as KeyPreset[];

type Grant = { preset: KeyPreset } | { permissions: string[] };

interface CreateInput extends ConnectionOptions {
  preset?: KeyPreset;
  permission?: string[];
  scope?: 'ADMIN' | 'API';
  desc?: string;
}

const create = defineCommand<CreateInput>({
  name: 'create',
  summary: 'Create a key.',
  options: [
    {
      flags: '--preset <preset>',
      summary: 'The permission preset of the key.',
      choices: presetNames,
      conflicts: ['permission', 'scope'],
    },
    {
      flags: '--permission <permission>',
      summary: 'Grant a permission instead of a preset. Repeatable, or a comma separated list.',
      repeatable: true,
      conflicts: ['preset', 'scope'],
    },
    {
      flags: '--scope <scope>',
      summary: 'Deprecated, use --preset. The privilege scope of the key.',
      choices: ['ADMIN', 'API'],
      conflicts: ['preset', 'permission'],
    },
    { flags: '--desc <text>', summary: 'Key description (e.g. "My Test Key").' },
    { flags: '--alias <text>', summary: 'The same as --desc.', key: 'desc', hidden: true },
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const grant = await grantOf(input, context);
    const client = await context.client(input);
    const { keyId, keySecret } = await client.keys.create({
      ...grant,
      description: input.desc,
      signal: context.signal,
    });
    const granted = 'preset' in grant ? grant.preset : grant.permissions.join(', ');
    const { terminal } = context;
    terminal.note(`Generated key id and key secret, with \`${granted}\`.`);
    terminal.note('This is the only time the secret will be visible.');
    terminal.note('You will need to generate a new key pair if you lose access to this secret.');
    terminal.print(`FAL_KEY='${keyId}:${keySecret}'`);
  },
});

const list = defineCommand<ConnectionOptions & OutputInput>({
  name: 'list',
  summary: 'List keys.',
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const keys = await client.keys.list({ signal: context.signal });
    if (input.output === 'json') {
      printJson(context.terminal, {
        keys: keys.map(({ keyId, createdAt, scope, description }) => ({
          key_id: keyId,
          created_at: pythonTime(createdAt),
          scope: scope?.toUpperCase() ?? null,
          description,
        })),
      });
      return;
    }
    printTable(
      context.terminal,
      [
        { title: 'Key ID', value: ({ keyId }) => keyId, whole: true },
        { title: 'Created At', value: ({ createdAt }) => pythonTime(createdAt) },
        { title: 'Scope', value: ({ scope }) => scope?.toUpperCase() ?? '-' },
        { title: 'Description', value: ({ description }) => description },
      ],
      keys,
    );
  },
});

const revoke = defineCommand<ConnectionOptions & { keyId: string }>({
  name: 'revoke',
  summary: 'Revoke key.',
  arguments: [{ name: 'key_id', summary: 'Key ID.' }],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    await client.keys.revoke(input.keyId, { signal: context.signal });
  },
});

export const keysCommand: CommandSpec = { name: 'keys', summary: '', subcommands: [create, list, revoke] };

async function grantOf(input: CreateInput, context: CommandContext): Promise<Grant> {
  if (input.preset !== undefined) return { preset: input.preset };
  if (input.scope !== undefined) return { preset: input.scope === 'ADMIN' ? 'FULL' : 'API' };
  if (input.permission !== undefined) {
    const permissions = splitPermissions(input.permission);
    if (permissions.length > 0) return { permissions };
    throw new CommandError('--permission needs at least one permission name.', 'For example serverless:apps:run.');
  }
  if (!context.terminal.isInteractive) {
    throw new CommandError(
      'Picking a key preset requires interactive input.',
      'Re-run with --preset to pick one non-interactively.',
    );
  }
  return askForGrant(context);
}

/** The menu: a number or a name, `API` for nothing. */
async function askForGrant({ terminal, signal }: CommandContext): Promise<Grant> {
  terminal.note('Create a key\n');
  const names = [...presetNames, 'CUSTOM'];
  for (const [index, name] of names.entries()) {
    const summary = name === 'CUSTOM' ? 'Pick the permissions yourself.' : presets[name as KeyPreset];
    terminal.note(`  ${index + 1}  ${terminal.noteStyle('bold', name.padEnd(11))} ${summary}`);
  }
  for (;;) {
    const answer = (await ask('\nPreset, by number or name (API): ', signal)).trim().toUpperCase() || 'API';
    const name = names[Number(answer) - 1] ?? names.find((candidate) => candidate === answer);
    if (name === 'CUSTOM') {
      const permissions = splitPermissions([await ask('Permissions, separated by commas: ', signal)]);
      if (permissions.length > 0) return { permissions };
    } else if (name !== undefined) return { preset: name as KeyPreset };
    terminal.note(terminal.noteStyle('red', 'Please select one of the available options.'));
  }
}

function splitPermissions(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((permission) => permission.trim())
    .filter((permission) => permission !== '');
}
