import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { sinceOption } from '../command/parse-time.ts';
import { printJson } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { logsCommand } from './runner-logs.ts';
import { execOnRunnerCommand, shellCommand } from './runner-session.ts';
import { printGpus, printRunners, runnersToJson, stateOption, statesOf } from './runner-tables.ts';

type RunnerInput = ConnectionOptions & { id: string };

const id = { name: 'id', summary: 'Runner ID.' };

const stop = defineCommand<RunnerInput & { replace?: boolean }>({
  name: 'stop',
  summary: 'Stop a runner gracefully.',
  arguments: [id],
  options: [
    { flags: '-r, --replace', summary: 'Stop the runner after first spawning a replacement.' },
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const client = await context.client(input);
    await client.runners.stop(input.id, { replaceFirst: input.replace, signal: context.signal });
  },
});

const kill = defineCommand<RunnerInput>({
  name: 'kill',
  summary: 'Kill a runner.',
  arguments: [id],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    await client.runners.kill(input.id, { signal: context.signal });
  },
});

const list = defineCommand<ConnectionOptions & OutputInput & { since?: Date; state?: string[] }>({
  name: 'list',
  summary: 'List runners.',
  options: [sinceOption, stateOption, ...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const runners = await client.runners.list({
      since: input.since,
      state: statesOf(input.state),
      signal: context.signal,
    });
    if (input.output === 'json') printJson(context.terminal, runnersToJson(runners));
    else printRunners(context, runners, { withAlias: true });
  },
});

const gpus = defineCommand<ConnectionOptions & OutputInput>({
  name: 'gpus',
  summary: 'Show GPU usage summary across runners.',
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    printGpus(context, await client.runners.gpus({ signal: context.signal }), input.output);
  },
});

export const runnersCommand: CommandSpec = {
  name: 'runners',
  summary: '',
  subcommands: [stop, kill, list, gpus, logsCommand, shellCommand, execOnRunnerCommand],
};
