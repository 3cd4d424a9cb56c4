import { textWidth } from './text-width.ts';
import type { Style } from './style.ts';
import { fitColumns, wrapWords } from './fit-columns.ts';

/** A column of a table. */
export interface Column<Row> {
  title: string;
  value: (row: Row) => string;
  align?: 'left' | 'right';
  /** Never wrapped: names and ids that people copy. */
  whole?: boolean;
  /** Colours the text of a cell, after it was measured. */
  paint?: (text: string, row: Row, style: Style) => string;
}

export interface TableLook {
  style: Style;
  /** Columns that fit on a line; `Infinity` wraps nothing. */
  width: number;
  isUnicode: boolean;
}

const heavy = { top: '┏━┳┓', head: '┡━╇┩', bottom: '└─┴┘', side: '┃', cell: '│' };
const ascii = { top: '+-++', head: '+-++', bottom: '+-++', side: '|', cell: '|' };

/**
 * A table in the official command's box. In a pipe every row is one line; on a terminal what does not fit is wrapped at words,
 * and where even that is too wide, each row becomes a list of its own.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], look: TableLook): string {
  const box = look.isUnicode ? heavy : ascii;
  const cells = rows.map((row) => columns.map((column) => singleLine(column.value(row))));
  const widths = fitColumns(
    columns.map(({ title, whole }, index) => ({
      texts: [title, ...cells.map((row) => row[index] ?? '')],
      whole: whole ?? false,
    })),
    look.width - (3 * columns.length + 1),
  );
  if (widths === null) return renderCards(columns, cells, rows, look);
  const rule = ([left, line, join, right]: string): string =>
    `${left}${widths.map((width) => line!.repeat(width + 2)).join(join)}${right}`;
  const head = toLines(
    columns.map(({ title }) => title),
    widths,
    columns,
    box.side,
    (text) => look.style('bold', text),
    'bottom',
  );
  const body = rows.flatMap((row, index) =>
    toLines(cells[index]!, widths, columns, box.cell, (text, at) => {
      const { paint } = columns[at]!;
      return paint === undefined ? text : paint(text, row, look.style);
    }),
  );
  return [rule(box.top), ...head, rule(box.head), ...body, rule(box.bottom)].join('\n');
}

/** Names and values below each other without a box: `doctor`, settings. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[], style: Style): string {
  const width = Math.max(...pairs.map(([name]) => textWidth(name)));
  return pairs.map(([name, value]) => (name === '' ? '' : ` ${style('bold', pad(name, width))}  ${value}`)).join('\n');
}

/** Every row as its first value with the others below it; what is empty is left out. */
function renderCards<Row>(
  columns: readonly Column<Row>[],
  cells: readonly (readonly string[])[],
  rows: readonly Row[],
  { style }: TableLook,
): string {
  const width = Math.max(...columns.slice(1).map(({ title }) => textWidth(title)));
  const cards = cells.map(([first = '', ...rest], index) => [
    style('bold', first),
    ...rest.flatMap((text, at) => {
      const { title, paint } = columns[at + 1]!;
      return text === '' ? [] : [`  ${style('dim', pad(title, width))}  ${paint?.(text, rows[index]!, style) ?? text}`];
    }),
  ]);
  return cards.map((lines) => lines.join('\n')).join('\n\n');
}

function toLines<Row>(
  texts: readonly string[],
  widths: readonly number[],
  columns: readonly Column<Row>[],
  side: string,
  paint: (text: string, column: number) => string,
  vertical: 'top' | 'bottom' = 'top',
): string[] {
  const wrapped = texts.map((text, index) => wrapWords(text, widths[index]!));
  const height = Math.max(1, ...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = wrapped.map((lines, index) => {
      const text = lines[vertical === 'top' ? line : line - (height - lines.length)] ?? '';
      const space = ' '.repeat(Math.max(0, widths[index]! - textWidth(text)));
      const painted = text === '' ? text : paint(text, index);
      return columns[index]!.align === 'right' ? space + painted : painted + space;
    });
    return `${side} ${parts.join(` ${side} `)} ${side}`;
  });
}

const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - textWidth(text)));

/** Tabs, line ends and other control characters of a value would break the box, and a terminal obeys some of them. */
function singleLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- this is what it is for
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F]+/g, ' ');
}
