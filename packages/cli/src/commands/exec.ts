import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { extendBundle, interceptEnvironment, readOrCreateToken, trustedFiles } from '@lanner/server/config';
import { chosenDataDir, findPlatform } from '../find-platform.ts';
import { guardedNodeVariables } from '../guard-node.ts';
import { pathWithCapableNode } from '../node-on-path.ts';
import { CommandError, note } from '../output.ts';

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** `lanner exec -- command`: the command's own output, signals and exit code. */
export async function exec(options: { dataDir?: string }, command: readonly string[]): Promise<number> {
  const [program, ...rest] = command;
  if (program === undefined) {
    throw new CommandError(
      'There is no command to run.',
      'Write it after --, such as: lanner exec -- python app.py',
      2,
    );
  }
  const dataDir = chosenDataDir(options.dataDir);
  const access = findPlatform(dataDir);
  const bundle = extendBundle(access.bundlePath, dataDir.ca, trustedFiles(process.env));
  const change = interceptEnvironment(
    { ...access, bundlePath: bundle.path, proxyToken: readOrCreateToken(dataDir.proxyToken) },
    process.env,
  );
  if (change.unsupportedProxy !== null) {
    note(`warning: ${change.unsupportedProxy} is not an HTTP proxy; hosts other than fal's are reached without it.`);
  }
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    ...change.set,
    ...guardedNodeVariables(process.env.NODE_OPTIONS),
  };
  for (const name of change.unset) delete environment[name];
  environment.PATH = pathWithCapableNode(environment.PATH ?? '', dataDir.run);
  return runChild(program, rest, environment);
}

/** Resolves with the exit code a shell would show: the child's own, or 128 and the signal that ended it. */
function runChild(program: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    // Before the child exists: a signal at the very beginning would end us and leave the child behind.
    const listeners = forwarded.map((signal) => {
      // A terminal sends Ctrl-C and Ctrl-\ to the whole foreground group, the child included; a second copy would hurt.
      const isFromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
      const listener = (): void => void (isFromTerminal || child.kill(signal));
      process.on(signal, listener);
      return () => process.off(signal, listener);
    });
    const finish = (): void => listeners.forEach((remove) => remove());
    const child = spawn(program, args, { stdio: 'inherit', env });
    child.once('error', (error: NodeJS.ErrnoException) => {
      finish();
      const isMissing = error.code === 'ENOENT';
      reject(
        new CommandError(
          isMissing ? `${program} was not found.` : `${program} cannot be started (${error.code}).`,
          'Check the command after --.',
          isMissing ? 127 : 126,
        ),
      );
    });
    child.once('exit', (code, signal) => {
      finish();
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}
