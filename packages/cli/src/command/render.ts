import { pythonJson } from '../terminal/python-text.ts';
import { renderTable, type Column } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** Prints one JSON document, as a line. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(pythonJson(value));
}

/** Prints a table. */
export function printTable<Row>(terminal: Terminal, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const { style, width, isUnicode } = terminal;
  terminal.print(renderTable(columns, rows, { style, width, isUnicode }));
}
