import { createInterface } from 'node:readline/promises';
import { AbortedError, CommandError } from '../output.ts';

/**
 * Asks on standard error and reads a line of standard input, from a terminal or a pipe.
 * @throws CommandError when the input ends before a line, AbortedError when the signal fires
 */
export async function ask(question: string, signal: AbortSignal): Promise<string> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: process.stdin.isTTY === true,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('close', () =>
        reject(
          new CommandError(
            'The input ended before this was answered.',
            'Run it on a terminal, or use --yes where there is one.',
          ),
        ),
      );
      lines.once('SIGINT', () => reject(new AbortedError()));
      lines.question(question, { signal }).then(resolve, () => reject(new AbortedError()));
    });
  } finally {
    lines.close();
  }
}
