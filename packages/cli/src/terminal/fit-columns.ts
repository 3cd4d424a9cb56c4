import stringWidth from 'string-width';

/** What is known about a column before it gets its width. */
export interface ColumnNeeds {
  /** Title and cells. */
  texts: readonly string[];
  /** Never narrower than its longest text, unless nothing else is left. */
  whole: boolean;
}

/**
 * Widths of columns that together take at most `available`: what is widest gives way first, down to its longest word, and
 * only then are words cut. `Infinity` gives each what it wants. Pure.
 */
export function fitColumns(columns: readonly ColumnNeeds[], available: number): number[] {
  const wanted = columns.map(({ texts }) => Math.max(1, ...texts.map((text) => stringWidth(text))));
  const words = columns.map(({ texts, whole }, index) =>
    whole ? wanted[index]! : Math.max(1, ...texts.flatMap((text) => text.split(' ')).map((word) => stringWidth(word))),
  );
  const narrowed = narrow(wanted, words, available);
  return sum(narrowed) <= available
    ? narrowed
    : narrow(
        narrowed,
        columns.map(() => 4),
        available,
      );
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

/** A text in lines of at most `width`: broken between words, long words anywhere. */
export function wrapCell(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const joined = line === '' ? word : `${line} ${word}`;
    if (stringWidth(joined) <= width) {
      line = joined;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (stringWidth(line) > width) {
      const head = takeWidth(line, width);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  lines.push(line);
  return lines;
}

function takeWidth(text: string, width: number): string {
  let head = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (head !== '' && stringWidth(head + segment) > width) break;
    head += segment;
  }
  return head;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
