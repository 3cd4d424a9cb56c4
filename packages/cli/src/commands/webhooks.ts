import type { WebhookStatus } from '@lanner/client';
import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { connectionOptions, outputOptions, parseInteger, type OutputInput } from '../command/shared-options.ts';

const requestArgument = { name: 'request_id', summary: 'Request whose webhook it is.' };

const list = defineCommand<ConnectionOptions & OutputInput & { status?: WebhookStatus; limit: number }>({
  name: 'list',
  summary: 'List webhooks of your requests, newest first.',
  options: [
    { flags: '--status <status>', summary: 'Only these.', choices: ['pending', 'delivered', 'failed'] },
    { flags: '--limit <n>', summary: 'Most webhooks.', default: '100', parse: parseInteger },
    ...outputOptions,
    ...connectionOptions,
  ],
  run: async (input, { client: connect, terminal, signal }) => {
    const client = await connect(input);
    const found = await client.webhooks.list({ status: input.status, limit: Number(input.limit), signal });
    if (input.output === 'json') return printJson(terminal, found);
    printTable(
      terminal,
      [
        { title: 'Request', value: ({ requestId }) => requestId, whole: true },
        { title: 'App', value: ({ appId }) => appId },
        { title: 'Status', value: ({ status }) => status },
        { title: 'Attempts', value: ({ attempts }) => String(attempts) },
        { title: 'Next attempt', value: ({ nextAttemptAt }) => nextAttemptAt?.toISOString() ?? '' },
        { title: 'URL', value: ({ url }) => url },
      ],
      found,
    );
  },
});

const show = defineCommand<ConnectionOptions & OutputInput & { requestId: string }>({
  name: 'show',
  summary: 'Show what was tried to deliver a webhook.',
  arguments: [requestArgument],
  options: [...outputOptions, ...connectionOptions],
  run: async (input, { client: connect, terminal, signal }) => {
    const client = await connect(input);
    const found = await client.webhooks.get(input.requestId, { signal });
    if (input.output === 'json') return printJson(terminal, found);
    terminal.note(`${found.status}, to ${found.url}`);
    printTable(
      terminal,
      [
        { title: 'Attempt', value: ({ attempt }) => String(attempt) },
        { title: 'Started', value: ({ startedAt }) => startedAt.toISOString(), whole: true },
        { title: 'Seconds', value: ({ durationSeconds }) => durationSeconds.toFixed(3) },
        { title: 'Status', value: ({ statusCode }) => String(statusCode ?? '') },
        { title: 'Error', value: ({ error }) => error ?? '' },
      ],
      found.deliveries,
    );
  },
});

const replay = defineCommand<ConnectionOptions & { requestId: string }>({
  name: 'replay',
  summary: 'Deliver a webhook again.',
  arguments: [requestArgument],
  options: [...connectionOptions],
  run: async (input, { client: connect, terminal, signal }) => {
    const client = await connect(input);
    const { url } = await client.webhooks.replay(input.requestId, { signal });
    terminal.print(`On its way to ${url}`);
  },
});

const rotateKey = defineCommand<ConnectionOptions & { immediately?: boolean }>({
  name: 'rotate-key',
  summary: 'Make a new key that webhooks are signed with.',
  description:
    'The new key is published now and signs in 25 hours, when every receiver has had a day to fetch it. The one before it stays ' +
    'published for another 25. Needs a key of the first account of the platform.',
  options: [
    {
      flags: '--immediately',
      summary: 'Sign with it now and withdraw the others, because one of them became known to somebody.',
    },
    ...connectionOptions,
  ],
  run: async (input, { client: connect, terminal, signal }) => {
    const client = await connect(input);
    const key = await client.webhooks.rotateKey({ immediately: input.immediately, signal });
    terminal.print(`${key.keyId} signs from ${key.signsFrom.toISOString()} on.`);
  },
});

export const webhooksCommand: CommandSpec = {
  name: 'webhooks',
  summary: '',
  subcommands: [list, show, replay, rotateKey],
};
