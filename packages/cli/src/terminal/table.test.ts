import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import stringWidth from 'string-width';
import type { Style } from './style.ts';
import { renderTable, type Column } from './table.ts';

type Row = { id: string; text: string; count: number };
const columns: Column<Row>[] = [
  { title: 'Runner ID', value: ({ id }) => id, whole: true },
  { title: 'A Long Title', value: ({ text }) => text },
  { title: 'N', value: ({ count }) => String(count), align: 'right' },
];
const row = { id: 'aaaa-bbbb-cccc', text: 'some words that can be wrapped', count: 7 };
const plain: Style = (_, text) => text;
const render = (rows: Row[], width = Infinity, style = plain): string =>
  renderTable(columns, rows, { style, width, isUnicode: true });

describe('a table', () => {
  test('looks like the official one, each row on one line in a pipe', () => {
    assert.equal(
      render([row]),
      [
        '┏━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━┓',
        '┃ Runner ID      ┃ A Long Title                   ┃ N ┃',
        '┡━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━┩',
        '│ aaaa-bbbb-cccc │ some words that can be wrapped │ 7 │',
        '└────────────────┴────────────────────────────────┴───┘',
      ].join('\n'),
    );
  });

  test('without rows has its head', () => {
    assert.equal(render([]).split('\n').length, 4);
  });

  test('wraps words on a terminal and never cuts an id', () => {
    const lines = render([row], 40).split('\n');
    assert.ok(
      lines.every((line) => stringWidth(line) <= 40),
      lines.join('\n'),
    );
    assert.ok(lines.some((line) => line.includes('aaaa-bbbb-cccc')));
    assert.match(lines.join(' ').replaceAll(/[│\s]+/g, ' '), /some words that .*can be wrapped/);
  });

  test('breaks long words before it gives up its columns', () => {
    const long = { ...row, text: '2026-11-24 12:32:06.046000+00:00' };
    const lines = render([long], 36).split('\n');
    assert.ok(
      lines.every((line) => stringWidth(line) <= 36),
      lines.join('\n'),
    );
    assert.match(lines.join('\n'), /│ 2026-11-24 +│[^│]*│\n│[^│]*│ 12:32:06\.0/);
  });

  test('becomes lists where even words do not fit', () => {
    assert.equal(
      render([row, { ...row, id: 'second', text: '' }], 20),
      'aaaa-bbbb-cccc\n  A Long Title  some words that can be wrapped\n  N             7\n\nsecond\n  N             7',
    );
  });

  test('counts wide characters and colours for what they take on the screen', () => {
    const coloured: Style = (format, text) => styleText(format, text, { validateStream: false });
    const text = render([{ ...row, text: '日本語 🚀' }, row], Infinity, coloured);
    const widths = text.split('\n').map((line) => stringWidth(line));
    assert.equal(new Set(widths).size, 1, text);
    assert.notEqual(stripVTControlCharacters(text), text);
  });

  test('shows control characters of a value as a space: a terminal would obey them', () => {
    const text = render([{ ...row, text: 'a\u001B[31mb\nc\td' }]);
    assert.match(text, /a \[31mb c d/);
    assert.equal(text.split('\n').length, 5);
  });

  test('is drawn in ASCII where nothing else can be shown', () => {
    const text = renderTable(columns, [row], { style: plain, width: Infinity, isUnicode: false });
    assert.match(text, /^[ -~\n]+$/);
  });
});
