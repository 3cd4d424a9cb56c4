import type { AuthMode, AppsScaleOptions, DeploymentStrategyName } from '@lanner/client';
import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec, type OptionSpec } from '../command/command-spec.ts';
import { sinceOption } from '../command/parse-time.ts';
import { printJson, printTable } from '../command/render.ts';
import {
  connectionOptions,
  environmentNameOf,
  environmentOption,
  outputOptions,
  parseInteger,
  type OutputInput,
} from '../command/shared-options.ts';
import { appColumns, appToJson, revisionColumns, revisionToJson } from './app-tables.ts';
import { printGpus, printRunners, runnersToJson, stateOption, statesOf } from './runner-tables.ts';

type EnvironmentInput = ConnectionOptions & { env?: string };
type AppInput = EnvironmentInput & { appName: string };

const appName = { name: 'app_name', summary: 'Application name.' };
const regions = ['eu-north', 'eu-west', 'us-central', 'us-east', 'us-west'];

const list = defineCommand<
  EnvironmentInput & OutputInput & { filter?: string; regions?: string[]; sortByRunners?: boolean }
>({
  name: 'list',
  summary: 'List applications.',
  options: [
    { flags: '--sort-by-runners', summary: 'Sort by number of runners ascending.' },
    { flags: '--filter <text>', summary: 'Filter applications by alias contents.' },
    { flags: '--regions <regions...>', summary: 'Apps that may run in one of these regions.', choices: regions },
    environmentOption,
    ...outputOptions,
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const client = await context.client(input);
    const found = await client.apps.list({
      filter: input.filter,
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
    const wanted = input.regions;
    const apps = wanted ? found.filter((app) => app.validRegions.some((region) => wanted.includes(region))) : found;
    // by code point, as the official command sorts
    apps.sort(input.sortByRunners ? (a, b) => a.activeRunners - b.activeRunners : byAlias);
    if (input.output === 'json') printJson(context.terminal, { apps: apps.map(appToJson) });
    else printTable(context.terminal, appColumns, apps);
  },
});

const listRev = defineCommand<EnvironmentInput & OutputInput & { appName?: string }>({
  name: 'list-rev',
  summary: 'List application revisions.',
  arguments: [{ ...appName, required: false }],
  options: [environmentOption, ...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const environmentName = environmentNameOf(input, context.environment);
    const revisions = await client.apps.revisions(input.appName, { environmentName, signal: context.signal });
    if (input.output === 'json') printJson(context.terminal, { revisions: revisions.map(revisionToJson) });
    else printTable(context.terminal, revisionColumns, revisions);
  },
});

const setRev = defineCommand<AppInput & { appRev: string; auth?: AuthMode; strategy?: DeploymentStrategyName }>({
  name: 'set-rev',
  summary: 'Set application to a particular revision.',
  arguments: [appName, { name: 'app_rev', summary: 'Application revision.' }],
  options: [
    { flags: '--auth <mode>', summary: 'Application authentication mode.', choices: ['public', 'private', 'shared'] },
    { flags: '--strategy <strategy>', summary: 'Deployment strategy.', choices: ['recreate', 'rolling'] },
    environmentOption,
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const client = await context.client(input);
    const app = await client.apps.setRevision(input.appName, input.appRev, {
      auth: input.auth,
      strategy: input.strategy,
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
    printTable(context.terminal, appColumns, [app]);
  },
});

const number = (flags: string, summary: string): OptionSpec => ({
  flags: `${flags} <n>`,
  summary,
  parse: parseInteger,
});

const scaleOptions: readonly OptionSpec[] = [
  number('--keep-alive', 'Keep alive (seconds).'),
  number('--max-multiplexing', 'Maximum multiplexing.'),
  number('--max-concurrency', 'Maximum concurrency.'),
  number('--min-concurrency', 'Minimum concurrency.'),
  number('--concurrency-buffer', 'Concurrency buffer (min).'),
  number('--concurrency-buffer-perc', 'Concurrency buffer %.'),
  number('--scaling-delay', 'Scaling delay (seconds).'),
  number(
    '--request-timeout',
    'Request timeout (seconds). A request that takes longer is aborted, and its runner stopped gracefully.',
  ),
  number(
    '--request-start-timeout',
    'Longest wait in the queue for owner requests (seconds); headers of a request override it. 0 clears it.',
  ),
  number('--startup-timeout', 'Startup timeout (seconds).'),
  { flags: '--machine-types <types...>', summary: 'Machine types (pass several items to set multiple).' },
  { flags: '--regions <regions...>', summary: 'Valid regions (pass several items to set multiple).' },
];

/** Settings that the code of the next deploy overrides, as flags of the official command are named in its note. */
const codeSpecific = {
  maxMultiplexing: 'max_multiplexing',
  startupTimeout: 'startup_timeout',
  machineTypes: 'machine_types',
};

const scale = defineCommand<AppInput & AppsScaleOptions>({
  name: 'scale',
  summary: 'Scale application.',
  arguments: [appName],
  options: [...scaleOptions, environmentOption, ...connectionOptions],
  run: async (input, context) => {
    const {
      appName: name,
      env: _env,
      host: _host,
      team: _team,
      profile: _profile,
      dataDir: _dataDir,
      ...settings
    } = input;
    const { terminal } = context;
    if (Object.keys(settings).length === 0) {
      terminal.note('No parameters for update were provided, ignoring.');
      return;
    }
    const client = await context.client(input);
    const app = await client.apps.scale(name, {
      ...settings,
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
    printTable(terminal, appColumns, [app]);
    const passing = Object.entries(codeSpecific).filter(([key]) => key in settings);
    if (passing.length > 0) {
      const names = passing.map(([, flag]) => terminal.noteStyle('bold', flag)).join(', ');
      terminal.note(
        `${terminal.noteStyle(['bold', 'yellow'], 'Note:')} ${names} will be reset on the next deployment.`,
      );
    }
  },
});

const rollout = defineCommand<AppInput & { force?: boolean }>({
  name: 'rollout',
  summary: 'Rollout application.',
  arguments: [appName],
  options: [
    { flags: '--force', summary: 'Force rollout (kills runners immediately).' },
    environmentOption,
    ...connectionOptions,
  ],
  run: async (input, context) => {
    const client = await context.client(input);
    await client.apps.rollout(input.appName, {
      force: input.force,
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
    context.terminal.print(`Rolled out application ${input.appName}`);
  },
});

const runners = defineCommand<AppInput & OutputInput & { since?: Date; state?: string[] }>({
  name: 'runners',
  summary: 'List application runners.',
  arguments: [appName],
  options: [sinceOption, stateOption, environmentOption, ...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const found = await client.apps.runners(input.appName, {
      since: input.since,
      state: statesOf(input.state),
      environmentName: environmentNameOf(input, context.environment),
      signal: context.signal,
    });
    if (input.output === 'json') printJson(context.terminal, runnersToJson(found));
    else printRunners(context, found, { withAlias: false });
  },
});

const gpus = defineCommand<ConnectionOptions & OutputInput & { appName: string }>({
  name: 'gpus',
  summary: 'Show GPU usage for an application.',
  arguments: [appName],
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    printGpus(context, await client.apps.gpus(input.appName, { signal: context.signal }), input.output);
  },
});

const remove = defineCommand<AppInput>({
  name: 'delete',
  summary: 'Delete application.',
  arguments: [appName],
  options: [environmentOption, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const environmentName = environmentNameOf(input, context.environment);
    const revision = await client.apps.delete(input.appName, { environmentName, signal: context.signal });
    if (revision === null) context.terminal.print(`Application '${input.appName}' not found.`);
    else context.terminal.print(`Application '${input.appName}' deleted (${revision})`);
  },
});

const removeRev = defineCommand<ConnectionOptions & { appRev: string }>({
  name: 'delete-rev',
  summary: 'Delete application revision.',
  arguments: [{ name: 'app_rev', summary: 'Application revision.' }],
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    await client.apps.deleteRevision(input.appRev, { signal: context.signal });
  },
});

export const appsCommand: CommandSpec = {
  name: 'apps',
  summary: '',
  subcommands: [list, listRev, setRev, scale, rollout, runners, gpus, remove, removeRev],
};

function byAlias(a: { alias: string }, b: { alias: string }): number {
  return a.alias < b.alias ? -1 : a.alias > b.alias ? 1 : 0;
}
