import { pythonJson } from '../terminal/python-text.ts';
import { renderTable, type Column } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Prints one JSON document, as a line. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(pythonJson(value));
}

/** Prints a table of data. */
export function printTable<Row>(terminal: Terminal, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  printTableTo('print', terminal, columns, rows);
}

/** Prints a table as data, or as a note for the person in front. */
export function printTableTo<Row>(
  where: 'print' | 'note',
  terminal: Terminal,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  const { isUnicode } = terminal;
  const look =
    where === 'print'
      ? { style: terminal.style, width: terminal.width, isUnicode }
      : { style: terminal.noteStyle, width: terminal.isNoteTerminal ? terminal.noteWidth : Infinity, isUnicode };
  terminal[where](renderTable(columns, rows, look));
}
