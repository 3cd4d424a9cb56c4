import {
  environmentNameOf,
  environmentOption,
  connectionOptions,
  outputOptions,
  type OutputInput,
} from '../command/shared-options.ts';
import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { UsageError } from '../output.ts';
import { pythonTime } from '../terminal/python-text.ts';

type EnvironmentInput = ConnectionOptions & { env?: string };

const set = defineCommand<EnvironmentInput & { secrets: string[]; notExposedByDefault?: boolean }>({
  name: 'set',
  summary: 'Set a secret.',
  arguments: [{ name: 'secrets', summary: 'Secret NAME=VALUE pairs.', variadic: true }],
  options: [
    {
      flags: '--not-exposed-by-default',
      summary: 'Only apps that list the secret see it; others do not.',
    },
    environmentOption,
    ...connectionOptions,
  ],
  examples: ['lanner secrets set HF_TOKEN=hf_***'],
  run: async (input, context) => {
    const pairs = input.secrets.map(splitPair);
    const client = await context.client(input);
    const environmentName = environmentNameOf(input, context.environment);
    for (const [name, value] of pairs) {
      await client.secrets.set(name, value, {
        environmentName,
        // always said, as the official command does: setting it again without the flag exposes it again
        defaultExposed: input.notExposedByDefault !== true,
        signal: context.signal,
      });
    }
  },
});

const list = defineCommand<EnvironmentInput & OutputInput>({
  name: 'list',
  summary: 'List secrets.',
  options: [environmentOption, ...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const environmentName = environmentNameOf(input, context.environment);
    const secrets = await client.secrets.list({ environmentName, signal: context.signal });
    if (input.output === 'json') {
      printJson(context.terminal, {
        secrets: secrets.map((secret) => ({
          name: secret.name,
          environment: secret.environmentName,
          created_at: pythonTime(secret.createdAt),
          default_exposed: secret.defaultExposed,
        })),
      });
      return;
    }
    printTable(
      context.terminal,
      [
        { title: 'Name', value: (secret) => secret.name, whole: true },
        { title: 'Env', value: (secret) => secret.environmentName },
        { title: 'Created At', value: (secret) => pythonTime(secret.createdAt) },
        {
          title: 'Exposed By Default',
          value: ({ defaultExposed }) => (defaultExposed === null ? 'account default' : defaultExposed ? 'yes' : 'no'),
        },
      ],
      secrets,
    );
  },
});

const unset = defineCommand<EnvironmentInput & { name: string }>({
  name: 'unset',
  summary: 'Unset a secret.',
  arguments: [{ name: 'NAME', summary: "Secret's name." }],
  options: [environmentOption, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    await client.secrets.unset(input.name, {
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
  },
});

export const secretsCommand: CommandSpec = { name: 'secrets', summary: '', subcommands: [set, list, unset] };

/** `NAME=VALUE`; the value may be empty and hold further `=`. */
function splitPair(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  // the text is not repeated: it may be a secret whose name was forgotten
  if (at <= 0)
    throw new UsageError('Secrets are given as NAME=VALUE.', 'For example: lanner secrets set HF_TOKEN=hf_***');
  return [text.slice(0, at), text.slice(at + 1)];
}
