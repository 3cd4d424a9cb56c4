import type { LogEntry } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { parsePastTime } from '../command/parse-time.ts';
import { printJson } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { CommandError, UsageError, isClientFailure } from '../output.ts';
import { pythonJson } from '../terminal/python-text.ts';
import { localClock, logLine } from '../terminal/text-blocks.ts';

interface LogsInput extends ConnectionOptions, OutputInput {
  id: string;
  search?: string;
  since?: Date;
  until?: Date;
  follow?: boolean;
  lines?: { count: number; from: 'oldest' | 'newest' };
}

const parseTime = (text: string): Date => parsePastTime(text, Date.now());

export const logsCommand = defineCommand<LogsInput>({
  name: 'logs',
  aliases: ['log'],
  summary: 'Show logs for a runner.',
  arguments: [{ name: 'id', summary: 'Runner ID.' }],
  options: [
    { flags: '--search <text>', summary: 'Search for string in logs.' },
    {
      flags: '--since <time>',
      summary:
        "Show logs since the given time. Accepts 'now', relative like '30m', '1h', or an ISO timestamp. Defaults to the start of the runner, or to a minute ago with --follow.",
      parse: parseTime,
    },
    {
      flags: '--until <time>',
      summary: 'Show logs until the given time, in the same forms. Defaults to the end of the runner, or now.',
      parse: parseTime,
    },
    { flags: '-f, --follow', summary: 'Follow logs live.' },
    {
      flags: '-n, --lines <n>',
      summary: 'Only the latest N lines; +N: the oldest N. Not with --follow.',
      parse: parseLines,
    },
    ...outputOptions,
    ...connectionOptions,
  ],
  run: async (input, context) => {
    try {
      await (input.follow === true ? follow(input, context) : history(input, context));
    } catch (error) {
      if (isClientFailure(error) && error.code === 'not_found') {
        throw new CommandError(`Runner ${input.id} not found`, '`lanner runners list` shows those there are.');
      }
      throw error;
    }
  },
});

async function history(input: LogsInput, context: CommandContext): Promise<void> {
  const client = await context.client(input);
  const { search, since, until, lines } = input;
  const entries = await client.runners.logs(input.id, {
    search,
    since,
    until,
    last: lines?.from === 'newest' ? lines.count : undefined,
    first: lines?.from === 'oldest' ? lines.count : undefined,
    signal: context.signal,
  });
  if (input.output === 'json') {
    // newest first, as it comes from the platform
    printJson(context.terminal, { logs: entries.map(({ fields }) => fields).reverse() });
    return;
  }
  for (const entry of entries) print(entry, context);
}

async function follow(input: LogsInput, context: CommandContext): Promise<void> {
  const client = await context.client(input);
  const { search, since, until } = input;
  for await (const entry of client.runners.followLogs(input.id, { search, since, until, signal: context.signal })) {
    if (input.output === 'json') context.terminal.print(pythonJson(entry.fields));
    else print(entry, context);
  }
}

function print(entry: LogEntry, { terminal }: CommandContext): void {
  terminal.print(logLine(localClock(entry.timestamp), entry.level.toUpperCase(), entry.message, terminal.style));
}

function parseLines(text: string): LogsInput['lines'] {
  if (!/^\+?\d+$/.test(text)) throw new UsageError('Invalid -n|--lines value. Use an integer or +integer.');
  return { count: Number(text), from: text.startsWith('+') ? 'oldest' : 'newest' };
}
