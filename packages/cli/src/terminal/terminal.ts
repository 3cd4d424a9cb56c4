import { styleFor, type Style } from './style.ts';

/** The two streams of a command: data for whoever reads it, and everything else for the person in front. */
export interface Terminal {
  /** One line of data, on standard output. */
  print(line: string): void;
  /** One line for the person: progress, hints, logs of builds. On standard error. */
  note(line: string): void;
  /** Raw text or bytes on standard output, as they are. */
  write(data: string | Uint8Array): void;
  /** The same on standard error. */
  writeError(data: string | Uint8Array): void;
  /** Colours for standard output and standard error. */
  style: Style;
  noteStyle: Style;
  /** Columns of standard output; `Infinity` in a pipe, so that no line is cut or wrapped there. */
  width: number;
  /** Columns to draw rules with on standard error. */
  noteWidth: number;
  /** Standard output or standard error is a terminal. */
  isTerminal: boolean;
  isNoteTerminal: boolean;
  /** Somebody can be asked something: standard input and standard error are terminals. */
  isInteractive: boolean;
  /** Characters beyond ASCII can be shown. */
  isUnicode: boolean;
}

/** The terminal of this process. */
export function processTerminal(environment: NodeJS.ProcessEnv): Terminal {
  const { stdout, stderr, stdin } = process;
  const columns = Number(environment['COLUMNS']) || undefined;
  return {
    print: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    write: (data) => void stdout.write(data),
    writeError: (data) => void stderr.write(data),
    style: styleFor(stdout, environment),
    noteStyle: styleFor(stderr, environment),
    width: stdout.isTTY ? ((stdout.columns || columns) ?? 80) : Number.POSITIVE_INFINITY,
    noteWidth: Math.min((stderr.isTTY ? stderr.columns : columns) || 80, 200),
    isTerminal: stdout.isTTY === true,
    isNoteTerminal: stderr.isTTY === true,
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    isUnicode: isUnicode(environment),
  };
}

function isUnicode(environment: NodeJS.ProcessEnv): boolean {
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  // An unset locale is a container or a service nowadays; those that read it know UTF-8.
  return locale === '' || /utf-?8/i.test(locale) || process.platform === 'darwin' || process.platform === 'win32';
}
