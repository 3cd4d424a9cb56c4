import type { CommandContext } from '../command/command-context.ts';
import type { DeployProgressView } from './deploy-progress.ts';

/** Before the first deploy of an app: how to try it without one. */
export function firstDeployTip(
  { terminal }: CommandContext,
  appName: string,
  hint: string,
  environmentName?: string,
): void {
  const { noteStyle: style } = terminal;
  const where = environmentName ? ` to the ${style('bold', environmentName)} environment` : '';
  terminal.note(
    `${style(['bold', 'cyan'], 'Tip:')} This looks like the first deployment of ${style('bold', appName)}${where}.`,
  );
  terminal.note('     Validate it first to catch import and setup() errors before they become a production crashloop:');
  terminal.note(`       ${style('bold', hint)}\n`);
}

/** After a deploy that failed: how to find out why faster. */
export function nudge({ terminal }: CommandContext, hint: string): void {
  const { noteStyle: style } = terminal;
  terminal.note(`\n${style(['bold', 'yellow'], 'Deploy failed.')} To debug faster, reproduce this first:`);
  terminal.note(`       ${style('bold', hint)}`);
}

/** The `lanner run` that runs the same. */
export function runHint(
  reference: string | undefined,
  appName: string | null,
  environmentName: string | undefined,
): string {
  return `lanner run ${reference ?? appName ?? '<app>'}${environmentName ? ` --env ${environmentName}` : ''}`;
}

/** What goes on at the platform after Ctrl-C. */
export function stillRuns(
  view: DeployProgressView,
  appName: string | null,
  environmentName: string | undefined,
): string {
  if (view.phase === 'loading' || view.phase === 'uploading') return 'Nothing was deployed.';
  if (view.phase === 'building')
    return 'Nothing was deployed. The build may go on at the server; the next deploy uses it.';
  const suffix = environmentName ? ` --env ${environmentName}` : '';
  return `The deploy may still finish at the server: \`lanner apps list-rev ${appName ?? ''}${suffix}\` shows it.`;
}
