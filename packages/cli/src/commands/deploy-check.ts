import type { AppInfo, LoadedPlan, ServerlessClient } from '@lanner/client';
import type { CommandContext } from '../command/command-context.ts';
import { printTableTo } from '../command/render.ts';
import { CommandError } from '../output.ts';
import { ask } from '../terminal/ask.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { rule } from '../terminal/text-blocks.ts';
import { compareSettings, type SettingRow } from './deploy-settings.ts';

/** Who asked for the check. */
export type CheckSource = 'flag' | 'env' | 'admin';

/** Fields of an account, at its top or in one of these tables, by which its owner asks for a check. */
const policyFields = [
  'deploy_check',
  'serverless_deploy_check',
  'require_deploy_check',
  'require_deployment_confirmation',
  'deployment_confirmation',
];
const policyTables = ['org_config', 'admin_config', 'team_config', 'settings'];

/** Whether a summary is shown before the deploy: `--check`, `FAL_DEPLOY_CHECK`, or the policy of the team. */
export async function isCheckWanted(
  input: { check?: boolean; team?: string },
  client: ServerlessClient,
  { environment, signal }: CommandContext,
): Promise<CheckSource | null> {
  if (input.check === true) return 'flag';
  if (isSaid(environment['FAL_DEPLOY_CHECK']?.trim().toLowerCase())) return 'env';
  if (input.team === undefined) return null;
  const { fields } = await client.accounts.current({ signal });
  return asksForCheck(fields) ? 'admin' : null;
}

/** The policy in what the platform tells about an account. Pure. */
export function asksForCheck(account: Record<string, unknown>): boolean {
  const tables = [account, ...policyTables.map((name) => account[name])];
  return tables.some(
    (table) =>
      typeof table === 'object' &&
      table !== null &&
      policyFields.some((field) => isSaid((table as Record<string, unknown>)[field])),
  );
}

function isSaid(value: unknown): boolean {
  if (typeof value === 'string') return !['', '0', 'false', 'no', 'off'].includes(value.trim().toLowerCase());
  return value === true || (typeof value === 'number' && value !== 0);
}

/** What is about to change, on standard error. */
export function showDeploymentCheck(
  terminal: Terminal,
  summary: {
    plan: LoadedPlan;
    current: AppInfo | null;
    source: CheckSource;
    environmentName: string | undefined;
    noCache: boolean;
  },
): void {
  const { plan, current } = summary;
  const { noteStyle: style, noteWidth, isUnicode } = terminal;
  const yellow = (text: string): string => style('yellow', text);
  const fact = (name: string, value: string): void => terminal.note(`${style('bold', `${name}:`)} ${value}`);
  const appName = plan.appName ?? plan.displayName;
  terminal.note('');
  terminal.note(rule(noteWidth, isUnicode, yellow, `Deployment Check: ${appName}`));
  fact('Target', `${appName} (env: ${summary.environmentName ?? 'main'})`);
  fact('Triggered by', summary.source);
  fact('Current revision', current?.revision ?? 'none (first deployment)');
  fact('Source object', plan.displayName);
  const auth = plan.auth ?? 'private';
  const isSameAuth = current?.authMode === auth;
  fact('Auth', isSameAuth ? `${auth} -> ${auth}` : style('red', `${String(current?.authMode ?? 'none')} -> ${auth}`));
  fact(
    'Deployment strategy',
    `${style(plan.strategy === 'rolling' ? 'green' : 'red', plan.strategy)} (this deployment only)`,
  );
  if (plan.attach !== null) fact('Attach to deployment', plan.attach ? 'yes' : 'no');
  fact('Environment build cache', summary.noCache ? yellow('disabled (--no-cache)') : style('green', 'enabled'));
  const rows = compareSettings(plan, current);
  terminal.note('');
  if (rows.length > 0) {
    terminal.note(style('italic', current === null ? 'Effective Deployment Values' : 'Effective Production Diff'));
    printTableTo('note', terminal, columns(rows), rows);
  } else terminal.note(style('dim', 'No production-facing config changes detected.'));
  terminal.note(rule(noteWidth, isUnicode, yellow));
}

function columns(rows: readonly SettingRow[]): Parameters<typeof printTableTo<SettingRow>>[2] {
  const all = [
    { title: 'Setting', value: (row: SettingRow) => row.label },
    { title: 'Production', value: (row: SettingRow) => row.production },
    { title: 'After Deploy', value: (row: SettingRow) => row.afterDeploy },
    { title: 'Note', value: (row: SettingRow) => row.note },
  ];
  return rows.some(({ note }) => note !== '') ? all : all.slice(0, 3);
}

/** Goes on when the user types `confirm`. */
export async function confirmDeployment(
  { terminal, signal }: CommandContext,
  appName: string,
  assumeYes: boolean,
): Promise<void> {
  if (assumeYes) return;
  if (!terminal.isInteractive) {
    throw new CommandError(
      `Deploy confirmation for '${appName}' requires interactive input.`,
      'Re-run with --yes to bypass the prompt.',
    );
  }
  const answer = await ask("Type 'confirm' to confirm deployment: ", signal);
  if (answer.trim().toLowerCase() !== 'confirm') throw new CommandError('Deployment aborted.', 'Nothing was deployed.');
}
