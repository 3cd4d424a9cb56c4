import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { connectionOptions } from '../command/shared-options.ts';
import { ConfigEditor } from '../connect/config-editor.ts';
import { configPath, falHome } from '../connect/fal-files.ts';
import { beginLogin, finishLogin, logoutUrl, networkLogin, revokeLogin } from '../login/device-login.ts';
import { deleteLogin, lastConnection, readLogin, saveLastConnection, saveLogin } from '../login/login-file.ts';
import { openBrowser } from '../login/open-browser.ts';
import { CommandError } from '../output.ts';
import { ask } from '../terminal/ask.ts';
import { Progress } from '../terminal/progress.ts';
import { signs } from '../terminal/text-blocks.ts';
import { chooseAccount } from './account.ts';

const connections = [
  { name: 'github', label: 'Continue with GitHub' },
  { name: 'google', label: 'Continue with Google' },
  { name: 'sso', label: 'Continue with SSO' },
];

const noBrowser = {
  flags: '--no-browser',
  summary: "Don't attempt to open a browser. Just print the URL to visit.",
  key: 'noBrowser',
  preset: true,
};

const login = defineCommand<{ connection?: string; noBrowser?: boolean }>({
  name: 'login',
  summary: 'Log in a user of the hosted platform.',
  description: 'Log in a user of the hosted platform. A platform of your own has keys and no logins: see `lanner env`.',
  options: [
    {
      flags: '--connection <name>',
      summary: 'Auth connection (e.g. github, google, or an SSO domain). Skips the interactive prompt.',
    },
    noBrowser,
  ],
  run: async (input, context) => {
    const { terminal, signal, environment } = context;
    const homePath = falHome(environment);
    const connection = input.connection?.trim() || (await askForConnection(homePath, context));
    saveLastConnection(homePath, connection);
    const pending = await beginLogin(networkLogin, connection, signal);
    showPage(pending.url, input.noBrowser === true, context);
    terminal.note(`\nConfirm it shows the following code: ${terminal.noteStyle('bold', pending.userCode)}\n`);
    const waiting = new Progress(terminal);
    waiting.show('Waiting for confirmation...');
    try {
      saveLogin(homePath, await finishLogin(networkLogin, pending, signal));
    } finally {
      waiting.stop();
    }
    terminal.print(`${terminal.style('green', signs(terminal.isUnicode).check)} Authenticated successfully, welcome!`);
    await chooseAccount(undefined, context, new ConfigEditor(configPath(environment)));
  },
});

const logout = defineCommand<{ noBrowser?: boolean }>({
  name: 'logout',
  summary: 'Log out the currently logged-in user.',
  options: [noBrowser],
  run: async (input, context) => {
    const { terminal, environment, signal } = context;
    const homePath = falHome(environment);
    const found = readLogin(homePath);
    if (found === null) {
      terminal.print("You're not logged in");
      return;
    }
    await revokeLogin(networkLogin, found.refreshToken, signal);
    deleteLogin(homePath);
    showPage(logoutUrl(), input.noBrowser === true, context);
    const config = new ConfigEditor(configPath(environment));
    config.setInternal('team', undefined);
    config.save();
    terminal.print(`${terminal.style('green', signs(terminal.isUnicode).check)} Logged out of fal. Bye!`);
  },
});

const whoami = defineCommand<ConnectionOptions>({
  name: 'whoami',
  summary: 'Show the currently authenticated user.',
  options: connectionOptions,
  run: async (input, context) => {
    const client = await context.client(input);
    const { fullName, nickname, userId } = await client.accounts.current({ signal: context.signal });
    context.terminal.print(`Hello, ${fullName}: '${nickname}' - '${userId}'`);
  },
});

export const authCommand: CommandSpec = { name: 'auth', summary: '', subcommands: [login, logout, whoami] };

async function askForConnection(homePath: string, { terminal, signal }: CommandContext): Promise<string> {
  if (!terminal.isInteractive) {
    throw new CommandError('Logging in requires interactive input.', 'Name the way with --connection, e.g. github.');
  }
  const last = lastConnection(homePath);
  const known = connections.some(({ name }) => name === last);
  const fallback = last === undefined ? undefined : known ? last : 'sso';
  terminal.note('Login or sign up\n');
  for (const [index, { name, label }] of connections.entries()) {
    const used = name === fallback ? terminal.noteStyle('dim', known ? ' (Last used)' : ` (Last used: ${last})`) : '';
    terminal.note(`  ${index + 1}  ${label}${used}`);
  }
  for (;;) {
    const answer = (await ask(`\nSelect a connection${fallback ? ` (${fallback})` : ''}: `, signal)).trim() || fallback;
    const chosen = connections[Number(answer) - 1]?.name ?? connections.find(({ name }) => name === answer)?.name;
    if (chosen !== undefined && chosen !== 'sso') return chosen;
    if (chosen === 'sso') {
      const domain = (await ask('Enter your enterprise single sign-on domain: ', signal)).trim() || (known ? '' : last);
      if (domain) return domain;
    }
    terminal.note(terminal.noteStyle('red', 'Please select one of the available options.'));
  }
}

function showPage(url: string, isPrintedOnly: boolean, { terminal, environment }: CommandContext): void {
  if (isPrintedOnly) terminal.note('Open the following URL in a browser:');
  else {
    openBrowser(url, environment);
    terminal.note("If browser didn't open automatically, on your computer or mobile device navigate to");
  }
  terminal.note(url);
}
