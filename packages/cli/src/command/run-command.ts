import type { ServerlessClient } from '@lanner/client';
import { AbortedError, CommandError } from '../output.ts';
import { endAsking } from '../terminal/ask.ts';
import { processTerminal } from '../terminal/terminal.ts';
import type { CommandInput, CommandSpec } from './command-spec.ts';

/**
 * Runs a command: gives it the terminal, a client when it asks for one, and a signal that fires at Ctrl-C. The first
 * signal lets it stop cleanly; the second ends the process as it would without us.
 * @returns the exit code
 */
export async function runCommand(
  spec: CommandSpec,
  input: CommandInput,
  { debug }: { debug: boolean },
): Promise<number> {
  const environment = process.env;
  const stop = new AbortController();
  const listening = spec.ownSignals ? [] : (['SIGINT', 'SIGTERM', 'SIGHUP'] as const);
  const onSignal = (): void => {
    for (const name of listening) process.off(name, onSignal);
    stop.abort();
  };
  for (const name of listening) process.on(name, onSignal);
  let client: Promise<ServerlessClient> | undefined;
  try {
    const code = await spec.run!(input, {
      terminal: processTerminal(environment),
      environment,
      signal: stop.signal,
      debug,
      client: (options) =>
        (client ??= import('../connect/open-client.ts').then(({ openClient }) => openClient(options, environment))),
    });
    return code ?? 0;
  } catch (error) {
    // Whatever failed first after Ctrl-C failed because of it; commands that know what still runs have said so.
    throw stop.signal.aborted && !(error instanceof CommandError) ? new AbortedError() : error;
  } finally {
    for (const name of listening) process.off(name, onSignal);
    endAsking();
    // One that could not be made has told so already.
    await client?.then((open) => open.close()).catch(() => undefined);
  }
}
