import { isLannerError } from '@lanner/protocol';
import type { ClientError } from '@lanner/client';
import { styleFor } from './terminal/style.ts';

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

/** The command was written wrong: exit code 2. */
export class UsageError extends CommandError {
  constructor(what: string, todo = '') {
    super(what, todo, 2);
    this.name = 'UsageError';
  }
}

/** The user stopped it; `stillRuns` says what goes on all the same. */
export class AbortedError extends CommandError {
  constructor(stillRuns = '') {
    super('Aborted.', stillRuns, 1);
    this.name = 'AbortedError';
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
  const style = styleFor(process.stderr, process.env);
  const { what, todo } = describe(error);
  note(`${style(['bold', 'red'], 'error:')} ${what}`);
  if (todo !== '') note(todo);
  if (debug) note(style('dim', inspectStack(error)));
}

function describe(error: unknown): { what: string; todo: string } {
  if (error instanceof CommandError) return { what: error.message, todo: error.todo };
  if (isClientFailure(error)) return { what: error.message, todo: error.advice ?? '' };
  if (isLannerError(error)) {
    // catalogue messages are sentences: what was seen first, what to do after it
    const [what = '', ...rest] = error.message.split(/(?<=[.!?]) (?=[A-Z`])/);
    return { what, todo: rest.join(' ') };
  }
  const refusal = describeFileRefusal(error);
  if (refusal !== null) return refusal;
  const what = error instanceof Error ? error.message : String(error);
  return { what, todo: 'This looks like a defect of Lanner: run it again with --debug and report what it prints.' };
}

/** An error of the client; told by its shape, so that commands without a client do not load it. */
export function isClientFailure(error: unknown): error is ClientError {
  return error instanceof Error && 'code' in error && 'advice' in error && 'details' in error;
}

/** A file or folder that this user cannot use is the machine's state, not a defect; null for every other error. */
function describeFileRefusal(error: unknown): { what: string; todo: string } | null {
  const { code, path } = (error ?? {}) as { code?: unknown; path?: unknown };
  // A write that fails does not know its file.
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  if (isFull) {
    const where = typeof path === 'string' ? ` for ${path}` : ' on the disk';
    return { what: `There is no space left${where} (${code}).`, todo: 'Make room, then try again.' };
  }
  if (typeof path !== 'string') return null;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return {
        what: `${path} may not be used by this user (${code}).`,
        todo: 'Run this as the user it belongs to, or choose another folder with --data-dir.',
      };
    case 'EEXIST':
    case 'ENOTDIR':
      return {
        what: `${path} is not a folder, or goes through something that is none (${code}).`,
        todo: 'Choose another folder with --data-dir.',
      };
    default:
      return null;
  }
}

function inspectStack(error: unknown): string {
  const lines: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause)
    lines.push(current.stack ?? current.message);
  return lines.join('\ncaused by: ');
}
