import { isLannerError } from '@lanner/protocol';

/** A failure of a command: what happened, and what the user can do about it. */
export class CommandError extends Error {
  readonly todo: string;
  readonly exitCode: number;

  constructor(what: string, todo: string, exitCode = 1) {
    super(what);
    this.name = 'CommandError';
    this.todo = todo;
    this.exitCode = exitCode;
  }
}

/** One line on standard output: data that scripts read. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line on standard error: everything that is not data. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Shows a failure as one line that says what and one that says what to do; the stack only for `--debug`. */
export function printError(error: unknown, debug: boolean): void {
  const { what, todo } = describe(error);
  note(`error: ${what}`);
  if (todo !== '') note(todo);
  if (debug) note(inspectStack(error));
}

function describe(error: unknown): { what: string; todo: string } {
  if (error instanceof CommandError) return { what: error.message, todo: error.todo };
  if (isLannerError(error)) {
    // catalogue messages are sentences: what was seen first, what to do after it
    const [what = '', ...rest] = error.message.split(/(?<=[.!?]) (?=[A-Z`])/);
    return { what, todo: rest.join(' ') };
  }
  const what = error instanceof Error ? error.message : String(error);
  return { what, todo: 'This looks like a defect of Lanner: run it again with --debug and report what it prints.' };
}

function inspectStack(error: unknown): string {
  const lines: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause)
    lines.push(current.stack ?? current.message);
  return lines.join('\ncaused by: ');
}
