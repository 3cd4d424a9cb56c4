import type { RunnerSessionOptions, ServerlessClient, TerminalSize } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { connectionOptions } from '../command/shared-options.ts';
import { UsageError } from '../output.ts';

type SessionInput = ConnectionOptions & { id: string };

const id = { name: 'id', summary: 'Runner ID.' };

export const shellCommand = defineCommand<SessionInput>({
  name: 'shell',
  summary: 'Open a shell on a runner.',
  arguments: [id],
  options: connectionOptions,
  run: (input, context) =>
    attach(input, context, { tty: true, isInteractive: true }, (client, options) =>
      client.runners.shell(input.id, options),
    ),
});

export const execOnRunnerCommand = defineCommand<SessionInput & { interactive?: boolean; command: string[] }>({
  name: 'exec',
  summary: 'Execute a command on a runner.',
  arguments: [id],
  options: [
    {
      flags: '-i, --interactive',
      summary: 'Attach stdin (-it too). A terminal is used only when stdin is one; piped bytes go through as they are.',
    },
    ...connectionOptions,
  ],
  trailingCommand: {
    summary: 'Everything after the id is the command; put -- before one that starts with a dash.',
    required: true,
  },
  run: (input, context) => {
    if (input.command.length === 0) {
      throw new UsageError('No command specified.', 'For example: lanner runners exec ID -- ls -la');
    }
    const isInteractive = input.interactive === true;
    const tty = isInteractive && process.stdin.isTTY === true;
    return attach(input, context, { tty, isInteractive }, (client, options) =>
      client.runners.exec(input.id, input.command, options),
    );
  },
});

/** Connects this terminal with one in the runner; it is itself again whatever happens. */
async function attach(
  input: SessionInput,
  context: CommandContext,
  { tty, isInteractive }: { tty: boolean; isInteractive: boolean },
  start: (client: ServerlessClient, options: RunnerSessionOptions) => Promise<number>,
): Promise<number> {
  const { terminal, signal } = context;
  const client = await context.client(input);
  const isRaw = isInteractive && process.stdin.isTTY === true;
  if (isRaw) process.stdin.setRawMode(true);
  try {
    return await start(client, {
      tty,
      signal,
      input: isInteractive ? localInput() : undefined,
      onOutput: (data, stream) => (stream === 'stderr' ? terminal.writeError(data) : terminal.write(data)),
    });
  } finally {
    if (isRaw) process.stdin.setRawMode(false);
    // It would keep this process waiting for a key.
    process.stdin.destroy();
  }
}

/** What is typed, and the size of the terminal at first and whenever it changes. */
async function* localInput(): AsyncGenerator<Uint8Array | TerminalSize, void, undefined> {
  const waiting: (Uint8Array | TerminalSize)[] = [];
  let wake = (): void => undefined;
  let hasEnded = false;
  const push = (part: Uint8Array | TerminalSize): void => {
    waiting.push(part);
    wake();
  };
  const resize = (): void => push({ height: process.stdout.rows || 24, width: process.stdout.columns || 80 });
  const end = (): void => {
    hasEnded = true;
    wake();
  };
  if (process.stdin.isTTY) {
    resize();
    process.stdout.on('resize', resize);
  }
  process.stdin.on('data', push).once('end', end).once('close', end).once('error', end);
  try {
    for (;;) {
      const part = waiting.shift();
      if (part !== undefined) yield part;
      else if (hasEnded) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    process.stdout.off('resize', resize);
    process.stdin.off('data', push);
  }
}
