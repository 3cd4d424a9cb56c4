import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { AbortedError, CommandError } from '../output.ts';

/** One reader for all questions of a command: a second one would lose the lines the first has read ahead. */
let reader: { lines: Interface; next: () => Promise<string | null>; echo: { isOn: boolean } } | undefined;

/**
 * Asks on standard error and reads a line of standard input, from a terminal or a pipe.
 * @throws CommandError when the input ends before a line, AbortedError when the signal fires
 */
export async function ask(question: string, signal: AbortSignal): Promise<string> {
  return askLine(question, signal, true);
}

/** As {@link ask}, without showing what is typed. */
export async function askSecret(question: string, signal: AbortSignal): Promise<string> {
  return askLine(question, signal, false);
}

/** Lets the process end: an open input would keep it. */
export function endAsking(): void {
  reader?.lines.close();
  reader = undefined;
}

async function askLine(question: string, signal: AbortSignal, isShown: boolean): Promise<string> {
  reader ??= openReader();
  const { next, echo, lines } = reader;
  echo.isOn = isShown;
  if (isShown) lines.setPrompt(question);
  else {
    lines.setPrompt('');
    process.stderr.write(question);
  }
  lines.prompt();
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(new AbortedError());
    signal.addEventListener('abort', () => reject(new AbortedError()), { once: true });
    lines.once('SIGINT', () => reject(new AbortedError()));
  });
  try {
    const answer = await Promise.race([next(), aborted]);
    if (!isShown) process.stderr.write('\n');
    if (answer !== null) return answer;
    throw new CommandError('The input ended before this was answered.', 'Run it on a terminal, or pipe the answer in.');
  } catch (error) {
    if (error instanceof AbortedError) process.stderr.write('\n');
    throw error;
  }
}

function openReader(): NonNullable<typeof reader> {
  const echo = { isOn: true };
  const output = new Writable({
    write: (chunk: Buffer, _, done) => {
      if (echo.isOn) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY === true });
  const read: string[] = [];
  const waiting: ((line: string | null) => void)[] = [];
  let hasEnded = false;
  lines.on('line', (line) => {
    const resolve = waiting.shift();
    if (resolve) resolve(line);
    else read.push(line);
  });
  lines.once('close', () => {
    hasEnded = true;
    for (const resolve of waiting.splice(0)) resolve(null);
  });
  const next = (): Promise<string | null> => {
    const line = read.shift();
    if (line !== undefined || hasEnded) return Promise.resolve(line ?? null);
    return new Promise((resolve) => waiting.push(resolve));
  };
  return { lines, next, echo };
}
