import type { AuthMode } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { connectionOptions, environmentNameOf, environmentOption, parseInteger } from '../command/shared-options.ts';
import { AbortedError, CommandError, UsageError, isClientFailure } from '../output.ts';
import { rule, signs } from '../terminal/text-blocks.ts';
import { DeployProgressView } from './deploy-progress.ts';
import { authExplanations, pagesOf, urlOutputOf } from './deploy-result.ts';
import { warnOfForceEnvBuild } from './deploy.ts';

interface RunInput extends ConnectionOptions {
  funcRef: string;
  noCache?: boolean;
  forceEnvBuild?: boolean;
  appName?: string;
  auth: AuthMode;
  env?: string;
  local?: boolean;
  exposedPort?: number;
  exposedMetricsPort?: number;
  machineType?: string;
  forwardCompat?: boolean;
  limitMaxRequests?: number;
}

export const runCommand = defineCommand<RunInput>({
  name: 'run',
  summary: '',
  arguments: [{ name: 'func_ref', summary: 'path/to/file.py::name, path/to/file.py, or a name in pyproject.toml.' }],
  options: [
    { flags: '--no-cache', summary: 'Do not use the cache for the environment build.', key: 'noCache', preset: true },
    { flags: '--app-name <name>', summary: 'Application name to run with.' },
    {
      flags: '--auth <mode>',
      summary: 'Application authentication mode.',
      choices: ['private', 'public', 'shared'],
      default: 'public',
    },
    { flags: '--force-env-build', summary: 'Deprecated: use --no-cache.' },
    environmentOption,
    { flags: '--local', summary: 'Run in the Python of this machine, without a platform.' },
    {
      flags: '--exposed-port <port>',
      summary: 'Port for the --local app server (default: 8080).',
      parse: parsePort,
    },
    {
      flags: '--exposed-metrics-port <port>',
      summary: 'Port for the --local metrics server (default: 9090).',
      parse: parsePort,
    },
    { flags: '--machine-type <type>', summary: 'Machine type to use for this run.' },
    { flags: '--forward-compat', summary: 'Run on test nodes carrying upcoming node changes.' },
    {
      flags: '--limit-max-requests <n>',
      summary: 'For applications: stop the server gracefully after N requests.',
      parse: parseInteger,
    },
    ...connectionOptions,
  ],
  examples: ['lanner run path/to/myfile.py::myfunc', 'lanner run my-app'],
  run,
});

async function run(input: RunInput, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  if (input.local !== true && (input.exposedPort ?? input.exposedMetricsPort) !== undefined) {
    throw new CommandError('--exposed-port and --exposed-metrics-port can only be used with --local.', 'Add --local.');
  }
  warnOfForceEnvBuild(input, context);
  const client = input.local === true ? await localClient(context) : await context.client(input);
  const view = new DeployProgressView(terminal, context.debug, (log) =>
    log.level === 'stderr' ? terminal.writeError(`${log.message}\n`) : terminal.print(log.message),
  );
  let wasAnnounced = false;
  view.start();
  try {
    await client.runReference(input.funcRef, {
      appName: input.appName,
      auth: input.auth,
      environmentName: environmentNameOf(input, context.environment),
      forceEnvBuild: input.noCache === true || input.forceEnvBuild === true,
      machineType: input.machineType,
      limitMaxRequests: input.limitMaxRequests,
      forwardCompat: input.forwardCompat,
      local: input.local,
      exposedPort: input.exposedPort,
      exposedMetricsPort: input.exposedMetricsPort,
      signal,
      onProgress: (progress) => {
        // What runs here writes to our own terminal, through Python.
        if (progress.type === 'output' && input.local === true) {
          view.stop();
          return terminal.write(progress.text);
        }
        view.onProgress(progress);
        if (progress.type === 'urls' && !wasAnnounced) {
          wasAnnounced = true;
          view.stop();
          announce(input.auth, view, context);
        } else if (progress.type === 'log' && progress.log.source === 'user') view.stop();
      },
    });
  } catch (error) {
    view.stop();
    // what has no JSON form ran to its end all the same
    if (isClientFailure(error) && error.code === 'result_not_json') return;
    if (isClientFailure(error) && error.code === 'function_raised') {
      const { traceback } = error.details;
      if (typeof traceback === 'string') terminal.note(terminal.noteStyle('dim', traceback.trimEnd()));
    }
    if (signal.aborted) throw new AbortedError('The app and its runners are gone.');
    throw error;
  } finally {
    view.stop();
  }
}

/** Where the app is while it lives, on standard error: its output is what standard output is for. */
function announce(auth: AuthMode, view: DeployProgressView, { terminal, environment }: CommandContext): void {
  const { noteStyle: style, noteWidth, isUnicode } = terminal;
  const { section } = signs(isUnicode);
  const shown = urlOutputOf(environment);
  const urls = view.urls!;
  const green = (text: string): string => style('green', text);
  const heading = (title: string, explanation: string): void =>
    terminal.note(`${style('bold', `${section} ${title}`)} ${style('dim', `(${explanation})`)}`);
  terminal.note('');
  terminal.note(rule(noteWidth, isUnicode, green, style('bold', `Ephemeral App (${auth})`)));
  heading(`Auth: ${auth}`, authExplanations[auth] ?? auth);
  if (shown !== 'none') {
    terminal.note('');
    heading('Playground', 'open in browser');
    for (const endpoint of view.endpoints) {
      const { playground } = pagesOf(urls.playground + endpoint);
      if (playground !== null) terminal.note(`  ${style('cyan', urls.playground + endpoint)}`);
    }
  }
  if (shown === 'all') {
    terminal.note('');
    heading('API Endpoints', 'use in code');
    for (const endpoint of view.endpoints) {
      terminal.note(`  ${style('cyan', `Sync   ${urls.run}${endpoint}`)}`);
      terminal.note(`  ${style('cyan', `Async  ${urls.queue}${endpoint}`)}`);
    }
  }
  terminal.note(rule(noteWidth, isUnicode, green, style('dim', 'Deleted when process exits')));
}

/** A run on this machine needs no platform, so nothing about one is looked up. */
async function localClient({ environment }: CommandContext): Promise<import('@lanner/client').ServerlessClient> {
  const { ServerlessClient } = await import('@lanner/client');
  return new ServerlessClient({ environment });
}

function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(port)) throw new UsageError(`${text} is not a valid port`);
  if (port > 65_535) throw new UsageError('port must be between 0 and 65535.');
  return port;
}
