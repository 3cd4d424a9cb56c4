import type {
  AppInfo,
  AuthMode,
  Deployment,
  DeploymentStrategyName,
  LoadedPlan,
  ServerlessClient,
} from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { printJson } from '../command/render.ts';
import {
  connectionOptions,
  environmentNameOf,
  environmentOption,
  outputOptions,
  type OutputInput,
} from '../command/shared-options.ts';
import { AbortedError, CommandError, UsageError } from '../output.ts';
import { signs } from '../terminal/text-blocks.ts';
import { confirmDeployment, isCheckWanted, showDeploymentCheck, type CheckSource } from './deploy-check.ts';
import { firstDeployTip, nudge, runHint, stillRuns } from './deploy-hints.ts';
import { DeployProgressView } from './deploy-progress.ts';
import { printDeployment, urlOutputOf } from './deploy-result.ts';

interface DeployInput extends ConnectionOptions, OutputInput {
  appRef?: string;
  appName?: string;
  auth?: AuthMode;
  strategy: DeploymentStrategyName;
  attach?: boolean;
  resetScale?: boolean;
  check?: boolean;
  yes?: boolean;
  message?: string;
  annotation?: (readonly [key: string, value: string])[];
  noCache?: boolean;
  forceEnvBuild?: boolean;
  env?: string;
}

export const deployCommand = defineCommand<DeployInput>({
  name: 'deploy',
  summary: '',
  description:
    'Deploy an application. Without a reference the only app of pyproject.toml ([tool.fal.apps]) is meant, or the only Python file of the folder.',
  arguments: [
    {
      name: 'app_ref',
      required: false,
      summary: 'path/to/file.py, path/to/file.py::MyApp, or the name of an app in pyproject.toml.',
    },
  ],
  options: [
    { flags: '--app-name <name>', summary: 'Application name to deploy with.' },
    {
      flags: '--auth <mode>',
      summary: 'Application authentication mode.',
      choices: ['private', 'public', 'shared'],
    },
    {
      flags: '--strategy <strategy>',
      summary: 'Deployment strategy.',
      choices: ['recreate', 'rolling'],
      default: 'rolling',
    },
    {
      flags: '--attach',
      summary: 'Wait for the rollout to finish. Only with --strategy rolling.',
      conflicts: ['detach'],
      preset: true,
    },
    {
      flags: '--detach',
      summary:
        'Return as soon as the new revision is registered. Only with --strategy rolling; no effect on a first deploy.',
      key: 'attach',
      preset: false,
      conflicts: ['attach'],
    },
    {
      flags: '--no-scale',
      summary: 'Keep the scale settings of the previous deployment. This is the default behavior.',
      key: 'resetScale',
      preset: false,
    },
    { flags: '--reset-scale', summary: 'Use the application code for scale settings.', preset: true },
    {
      flags: '--check',
      summary: 'Show a summary before deploying, and ask for confirmation unless --yes is set too.',
    },
    { flags: '--yes', summary: 'Skip confirmation prompts. With --check the summary is still shown.' },
    { flags: '--message <text>', summary: "Freeform message to attach to this revision (e.g. 'add feature')." },
    {
      flags: '--annotation <key=value>',
      summary: 'Pair to attach to this revision (e.g. GIT_SHA=1234567890). Can be repeated.',
      repeatable: true,
      parse: parseAnnotation,
    },
    { flags: '--no-cache', summary: 'Do not use the cache for the environment build.', key: 'noCache', preset: true },
    { flags: '--force-env-build', summary: 'Deprecated: use --no-cache.' },
    environmentOption,
    ...outputOptions,
    ...connectionOptions,
  ],
  examples: [
    'lanner deploy',
    'lanner deploy path/to/myfile.py',
    'lanner deploy path/to/myfile.py::MyApp --app-name myapp --auth public',
    'lanner deploy my-app --message "a1b2c3d fix cold-start"',
    'lanner deploy my-app --annotation GIT_SHA=1234567890',
  ],
  run: deploy,
});

async function deploy(input: DeployInput, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const annotations = annotationsOf(input.annotation);
  checkFlags(input);
  warnOfForceEnvBuild(input, context);
  const client = await context.client(input);
  const environmentName = environmentNameOf(input, context.environment);
  const view = new DeployProgressView(terminal, context.debug);
  const checkSource = await isCheckWanted(input, client, context);
  let isFirst = false;
  let appName: string | null = null;
  let wasLoaded = false;
  view.start();
  let deployment: Deployment;
  try {
    deployment = await client.deploy(input.appRef, {
      appName: input.appName,
      auth: input.auth,
      strategy: input.strategy,
      resetScale: input.resetScale ?? false,
      attach: input.attach,
      message: input.message,
      annotations,
      forceEnvBuild: input.noCache === true || input.forceEnvBuild === true,
      environmentName,
      signal,
      onProgress: view.onProgress,
      onLoaded: async (plan) => {
        appName = plan.appName;
        const current = await currentApp(client, plan, environmentName, signal, checkSource !== null);
        isFirst = current === null;
        view.stop();
        await announce(plan, current ?? null, isFirst, { input, context, view, environmentName, checkSource });
        wasLoaded = true;
        view.start();
      },
    });
    view.onProgress({ type: 'phase', phase: 'running' });
  } catch (error) {
    view.stop();
    if (signal.aborted) throw new AbortedError(stillRuns(view, appName, environmentName));
    if (wasLoaded && !isFirst) nudge(context, runHint(input.appRef, appName, environmentName));
    throw error;
  } finally {
    view.stop();
  }
  const detached = input.attach === false && !isFirst;
  if (input.output === 'json') {
    printJson(terminal, {
      revision: deployment.revision,
      app_name: deployment.appName,
      status: detached ? 'rolling_out' : 'deployed',
    });
    return;
  }
  const suffix = `${environmentName ? ` --env ${environmentName}` : ''}${input.team ? ` --team ${input.team}` : ''}`;
  const { check, progress } = signs(terminal.isUnicode);
  if (detached) {
    terminal.print(terminal.style(['bold', 'yellow'], `${progress} Deployment started (detached)`));
    terminal.print(
      'The rollout is still in progress: the new revision already receives traffic while its runners start up, and a failed rollout is not rolled back automatically.',
    );
  } else terminal.print(terminal.style(['bold', 'green'], `${check} Deployed successfully`));
  terminal.print('');
  printDeployment(terminal, deployment, {
    urls: urlOutputOf(context.environment),
    detached,
    hints: {
      progress: `lanner apps runners ${deployment.appName}${suffix}`,
      rollBack: `lanner apps set-rev ${deployment.appName} <revision>${suffix}`,
    },
  });
  if (input.resetScale !== true) {
    terminal.note('');
    terminal.note(
      terminal.noteStyle(
        'yellow',
        'Note: Scaling parameters (keep_alive, min_concurrency, etc.) are inherited from the previous deployment. Use --reset-scale to apply code changes.',
      ),
    );
  }
}

/** The summary that was asked for, or the lines that say what is deployed; throws when the user says no. */
async function announce(
  plan: LoadedPlan,
  current: AppInfo | null,
  isFirst: boolean,
  how: {
    input: DeployInput;
    context: CommandContext;
    view: DeployProgressView;
    environmentName: string | undefined;
    checkSource: CheckSource | null;
  },
): Promise<void> {
  const { input, context, environmentName, checkSource } = how;
  const { terminal } = context;
  const noCache = input.noCache === true || input.forceEnvBuild === true;
  if (checkSource !== null) {
    showDeploymentCheck(terminal, { plan, current, source: checkSource, environmentName, noCache });
  }
  if (isFirst && plan.appName !== null) {
    firstDeployTip(context, plan.appName, runHint(input.appRef, plan.appName, environmentName), environmentName);
  }
  if (checkSource !== null) await confirmDeployment(context, plan.appName ?? plan.displayName, input.yes === true);
  else terminal.note(`${terminal.noteStyle('bold', `Deploying '${plan.displayName}' as app '${plan.appName}'`)}\n`);
}

/** The app as it is; `null` when there is none, `undefined` when that cannot be found out and does not matter. */
async function currentApp(
  client: ServerlessClient,
  plan: LoadedPlan,
  environmentName: string | undefined,
  signal: AbortSignal,
  isNeeded: boolean,
): Promise<AppInfo | null | undefined> {
  if (plan.appName === null) return undefined;
  const full = environmentName && environmentName !== 'main' ? `${plan.appName}--${environmentName}` : plan.appName;
  try {
    return (await client.apps.list({ environmentName, signal })).find(({ alias }) => alias === full) ?? null;
  } catch (error) {
    if (isNeeded || signal.aborted) throw error;
    return undefined;
  }
}

/** What cannot be right whatever the platform says. */
function checkFlags({ appRef, appName, auth, attach, strategy }: DeployInput): void {
  if (attach !== undefined && strategy !== 'rolling') {
    throw new CommandError(
      '--attach/--detach only applies to rolling deployments.',
      'Use --strategy rolling or remove the attach flag.',
    );
  }
  const isProjectApp = appRef !== undefined && !appRef.includes('::') && !/\.\w+$/.test(appRef);
  if (isProjectApp && (appName !== undefined || auth !== undefined)) {
    throw new CommandError(
      'Cannot use --app-name or --auth with app name reference.',
      'For an app of pyproject.toml they are written there.',
    );
  }
}

/** `--force-env-build` is an older word for `--no-cache`. */
export function warnOfForceEnvBuild(input: { forceEnvBuild?: boolean }, { terminal }: CommandContext): void {
  if (input.forceEnvBuild !== true) return;
  terminal.note(
    `${terminal.noteStyle(['bold', 'yellow'], 'Warning:')} --force-env-build is deprecated, use --no-cache instead`,
  );
}

function parseAnnotation(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new UsageError(`invalid annotation '${text}'; expected KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function annotationsOf(pairs: DeployInput['annotation']): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  const annotations = new Map<string, string>();
  for (const [key, value] of pairs) {
    if (annotations.has(key)) throw new CommandError(`Duplicate annotation key '${key}'.`, 'Give each key once.');
    annotations.set(key, value);
  }
  return Object.fromEntries(annotations);
}
