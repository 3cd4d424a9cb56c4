import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { CommandError, isClientFailure } from '../output.ts';

const size = defineCommand<ConnectionOptions & OutputInput & { appName: string; byUser?: boolean }>({
  name: 'size',
  summary: 'Get queue size for an application.',
  arguments: [{ name: 'app_name', summary: 'Application name (do not prefix with owner).' }],
  options: [{ flags: '--by-user', summary: 'Group queue size by user.' }, ...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const found = await client.queue
      .size(input.appName, { byUser: input.byUser, signal: context.signal })
      .catch(saying('Failed to get queue size'));
    if (input.output === 'json') {
      printJson(context.terminal, { size: found.size, ...(found.byUser === null ? {} : { by_user: found.byUser }) });
      return;
    }
    if (found.byUser !== null && found.size > 0) {
      printTable(
        context.terminal,
        [
          { title: 'Name', value: ([name]) => name, whole: true },
          { title: 'Count', value: ([, count]) => String(count) },
        ],
        Object.entries(found.byUser),
      );
    }
    context.terminal.print(`Total queue size: ${found.size}`);
  },
});

const flush = defineCommand<ConnectionOptions & { appName: string; callerUserId?: string }>({
  name: 'flush',
  summary: 'Flush all pending requests in an application queue.',
  arguments: [{ name: 'app_name', summary: 'Application name.' }],
  options: [
    { flags: '--caller-user-id <id>', summary: 'Only flush requests from this user ID; all of them without it.' },
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const client = await context.client(input);
    await client.queue
      .flush(input.appName, { callerUserId: input.callerUserId, signal: context.signal })
      .catch(saying('Failed to flush queue'));
    context.terminal.print('Queue flushed successfully.');
  },
});

export const queueCommand: CommandSpec = { name: 'queue', summary: '', subcommands: [size, flush] };

/** Says what could not be done in front of the platform's reason. */
function saying(what: string): (error: unknown) => never {
  return (error) => {
    if (!isClientFailure(error) || error.status === undefined) throw error;
    throw new CommandError(`${what}: ${error.message}`, error.advice ?? '');
  };
}
