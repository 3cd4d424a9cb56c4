import { textWidth } from './text-width.ts';

/** What is known about a column before it gets its width. */
export interface ColumnNeeds {
  /** Title and cells. */
  texts: readonly string[];
  /** Never narrower than its longest text. */
  whole: boolean;
}

/** Words of this length are broken before a column is made narrower than them. */
const narrowest = 10;

/**
 * Widths of columns that together take at most `available`: what is widest gives way first, down to its longest word, and
 * then long words give way. `Infinity` gives each what it wants; `null` when nothing of this is enough. Pure.
 */
export function fitColumns(columns: readonly ColumnNeeds[], available: number): number[] | null {
  const wanted = columns.map(({ texts }) => Math.max(1, ...texts.map((text) => textWidth(text))));
  const words = columns.map(({ texts, whole }, index) =>
    whole ? wanted[index]! : Math.max(1, ...texts.flatMap((text) => text.split(' ')).map((word) => textWidth(word))),
  );
  const byWords = narrow(wanted, words, available);
  if (sum(byWords) <= available) return byWords;
  const broken = words.map((width, index) => (columns[index]!.whole ? width : Math.min(width, narrowest)));
  const byParts = narrow(byWords, broken, available);
  return sum(byParts) <= available ? byParts : null;
}

/** Takes from the widest columns, none below its floor, until they fit or all are at their floors. */
function narrow(widths: readonly number[], floors: readonly number[], available: number): number[] {
  const result = [...widths];
  for (let excess = sum(result) - available; excess > 0; excess--) {
    let widest = -1;
    for (const [index, width] of result.entries()) {
      if (width > floors[index]! && (widest < 0 || width > result[widest]!)) widest = index;
    }
    if (widest < 0) break;
    result[widest]! -= 1;
  }
  return result;
}

/** A text in lines of at most `width`: broken between words, and inside those that are longer. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(' ')) {
    const joined: string = line === undefined ? word : `${line} ${word}`;
    if (textWidth(joined) <= width) {
      line = joined;
      continue;
    }
    if (line !== undefined) lines.push(line);
    line = word;
    while (textWidth(line) > width) {
      const head = takeWidth(line, width);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  return [...lines, line ?? ''];
}

/** As much of the beginning as fits, at least one character. */
function takeWidth(text: string, width: number): string {
  let head = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (head !== '' && textWidth(head + segment) > width) break;
    head += segment;
  }
  return head;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
