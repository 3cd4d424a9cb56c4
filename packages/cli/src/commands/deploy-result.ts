import type { Deployment } from '@lanner/client';
import type { Terminal } from '../terminal/terminal.ts';
import { rule, signs } from '../terminal/text-blocks.ts';

export const authExplanations: Readonly<Record<string, string>> = {
  public: 'no authentication required',
  private: 'only you/team can access',
  shared: 'any authenticated user can access',
};

/** `FAL_URL_OUTPUT`: which addresses are shown. */
export type UrlOutput = 'all' | 'playground' | 'none';

export function urlOutputOf(environment: NodeJS.ProcessEnv): UrlOutput {
  const wanted = (environment['FAL_URL_OUTPUT'] ?? 'all').trim().toLowerCase();
  return wanted === 'none' || wanted === 'playground' ? wanted : 'all';
}

/** What was deployed and where it is: the part of `lanner deploy` that is data. */
export function printDeployment(
  terminal: Terminal,
  deployment: Deployment,
  view: { urls: UrlOutput; detached: boolean; hints: { progress: string; rollBack: string } },
): void {
  const { style, isUnicode } = terminal;
  const { section } = signs(isUnicode);
  const width = Number.isFinite(terminal.width) ? terminal.width : terminal.noteWidth;
  const colour = view.detached ? 'yellow' : 'green';
  const heading = (title: string, explanation: string): void =>
    terminal.print(
      `${style('bold', `${section} ${title}`)}${explanation === '' ? '' : ` ${style('dim', `(${explanation})`)}`}`,
    );
  const url = (text: string): void => terminal.print(`  ${style('cyan', text)}`);
  const line = (title: string): void => terminal.print(rule(width, isUnicode, (text) => style(colour, text), title));

  line(style('bold', deployment.appName));
  if (view.detached) {
    heading('Status: rolling out', `revision ${deployment.revision}`);
    terminal.print(`  ${style('dim', 'Progress: ')} ${style('cyan', view.hints.progress)}`);
    terminal.print(`  ${style('dim', 'Roll back:')} ${style('cyan', view.hints.rollBack)}\n`);
  }
  heading(`Auth: ${deployment.authMode}`, authExplanations[deployment.authMode] ?? deployment.authMode);
  if (view.urls !== 'none') {
    const pages = Object.values(deployment.urls.playground).map(pagesOf);
    const playgrounds = pages.map(({ playground }) => playground).filter((page) => page !== null);
    if (playgrounds.length > 0) {
      terminal.print('');
      heading('Playground', 'open in browser');
      playgrounds.forEach(url);
    }
    const overview = pages.find((page) => page.overview !== null)?.overview;
    if (overview) {
      terminal.print('');
      heading('Application Endpoints', 'API references');
      url(overview);
    }
  }
  if (view.urls === 'all') {
    terminal.print('');
    heading('API Endpoints', 'use in code');
    for (const path of Object.keys(deployment.urls.sync)) {
      url(`Sync   ${deployment.urls.sync[path]}`);
      if (deployment.urls.async[path] !== undefined) url(`Async  ${deployment.urls.async[path]}`);
    }
    terminal.print('');
    heading('Logs', '');
    url(deployment.logUrl);
  }
  line('');
}

/** Endpoints that nobody opens a playground for. */
const utilityEndpoints: ReadonlySet<string> = new Set(['cancel', 'health', 'object_info']);

/**
 * The pages of the dashboard for a playground address: `/models/<owner>/<app>/<path>` becomes the app's overview and its
 * playground; an address of another form is its own playground. Pure.
 */
export function pagesOf(address: string): { overview: string | null; playground: string | null } {
  const untouched = { overview: null, playground: address };
  if (!URL.canParse(address)) return untouched;
  const { protocol, host, pathname } = new URL(address);
  const [root, models, ...rest] = pathname.split('/');
  const parts = rest.at(-1) === '' ? rest.slice(0, -1) : rest;
  if (!/^https?:$/.test(protocol) || root !== '' || models !== 'models' || parts.length < 2 || parts.includes(''))
    return untouched;
  const names = parts.map(decodeURIComponent);
  const overview = `${protocol}//${host}/dashboard/apps/${encodeURIComponent(names[0]!)}/${encodeURIComponent(names[1]!)}`;
  if (names.length > 2 && utilityEndpoints.has(names.at(-1)!)) return { overview, playground: null };
  return { overview, playground: `${overview}/testing/playground?endpoint=${encodeURIComponent(names.join('/'))}` };
}
