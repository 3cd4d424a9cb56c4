import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { CommandError, printError } from './output.ts';
import { splitExecArguments } from './split-exec-arguments.ts';

/**
 * Runs the `lanner` command. `argv` are the arguments after the program's name. Sets `process.exitCode`; rejects never.
 * Each command's module is loaded when it is called, so that `lanner env` does not pay for the server.
 */
export async function main(argv: readonly string[]): Promise<void> {
  const debug = splitExecArguments(argv).own.includes('--debug');
  try {
    await createProgram(argv).parseAsync([...splitExecArguments(argv).own], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else {
      printError(error, debug);
      process.exitCode = error instanceof CommandError ? error.exitCode : 1;
    }
  }
}

const dataDirOption = ['--data-dir <folder>', 'folder of all state (LANNER_HOME, default ~/.lanner)'] as const;

function createProgram(argv: readonly string[]): Command {
  const program = new Command('lanner')
    .description('The open, self-hosted fal Serverless')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option('--debug', 'print the stack of an error')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) });

  const add = (name: string, summary: string): Command =>
    program
      .command(name)
      .description(summary)
      .option(...dataDirOption)
      .addOption(new Option('--debug', 'print the stack of an error').hideHelp())
      .exitOverride();

  add('serve', 'start a platform on this machine')
    .option('--port <number>', 'TLS port; 0 picks a free one (LANNER_PORT, default 8443)')
    .option('--http-port <number>', 'clear-text port and proxy of `lanner exec` (LANNER_HTTP_PORT, default 8080)')
    .option('--host <address>', 'address to listen on (LANNER_HOST, default 127.0.0.1)')
    .option('--domain <name>', 'serve this domain and its subdomains too (LANNER_DOMAIN)')
    .option('--public-url <url>', 'origin for webhooks and behind a load balancer (LANNER_PUBLIC_URL)')
    .option('--tls-cert <file>', 'certificate for the domain, PEM (LANNER_TLS_CERT)')
    .option('--tls-key <file>', 'its private key, PEM (LANNER_TLS_KEY)')
    .option('--account <nickname>', 'nickname of the first account (LANNER_ACCOUNT, default your login name)')
    .option('--remote-proxy', 'let other machines use the proxy, with its token (LANNER_REMOTE_PROXY)')
    .option('--detach', 'go on in the background; SIGTERM then leaves runners alive (LANNER_DETACH)')
    .action(async (options) => (await import('./commands/serve.ts')).serve(options));

  add('stop', 'end the platform: server, supervisor and runners')
    .option('--timeout <seconds>', 'how long to wait for running requests', '60')
    .action(async (options) => (await import('./commands/stop.ts')).stop(options));

  add('env', 'print the variables by which official clients find the platform')
    .addOption(new Option('--mode <mode>', 'addresses (default domain where there is one)').choices(['path', 'domain']))
    .addOption(
      new Option('--format <format>', 'form of the output').choices(['shell', 'dotenv', 'json']).default('shell'),
    )
    .action(async (options) => (await import('./commands/env.ts')).env(options));

  add('exec', "run a command for which fal's own host names lead to the platform")
    .usage('[options] -- <command> [arguments...]')
    .action(async (options) => (await import('./commands/exec.ts')).exec(options, splitExecArguments(argv).command));

  return program;
}

function version(): string {
  const manifest = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
