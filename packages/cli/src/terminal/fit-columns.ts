import stringWidth from 'string-width';

/** What is known about a column before it gets its width. */
export interface ColumnNeeds {
  /** Title and cells. */
  texts: readonly string[];
  /** Never narrower than its longest text. */
  whole: boolean;
}

/**
 * Widths of columns that together take at most `available`: what is widest gives way first, down to its longest word.
 * `Infinity` gives each what it wants; `null` when words would have to be cut. Pure.
 */
export function fitColumns(columns: readonly ColumnNeeds[], available: number): number[] | null {
  const wanted = columns.map(({ texts }) => Math.max(1, ...texts.map((text) => stringWidth(text))));
  const words = columns.map(({ texts, whole }, index) =>
    whole ? wanted[index]! : Math.max(1, ...texts.flatMap((text) => text.split(' ')).map((word) => stringWidth(word))),
  );
  const widths = narrow(wanted, words, available);
  return sum(widths) <= available ? widths : null;
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

/** A text in lines of at most `width`, broken between words; a longer word stays whole. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(' ')) {
    const joined: string = line === undefined ? word : `${line} ${word}`;
    if (line !== undefined && stringWidth(joined) > width) {
      lines.push(line);
      line = word;
    } else line = joined;
  }
  return [...lines, line ?? ''];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
