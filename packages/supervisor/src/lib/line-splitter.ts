import { StringDecoder } from 'node:string_decoder';

/** Longest line handed on; longer ones are cut in pieces. */
export const maxLineChars = 64 * 1024;

/** Cuts the output of a program into lines, without their ends. `end` hands on an unfinished last line. */
export function createLineSplitter(onLine: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const push = (text: string): void => {
    rest += text;
    let start = 0;
    for (;;) {
      const newline = rest.indexOf('\n', start);
      if (newline < 0) break;
      const end = newline > start && rest.charCodeAt(newline - 1) === 13 ? newline - 1 : newline;
      onLine(rest.slice(start, end));
      start = newline + 1;
    }
    while (rest.length - start > maxLineChars) {
      onLine(rest.slice(start, start + maxLineChars));
      start += maxLineChars;
    }
    rest = rest.slice(start);
  };
  return {
    push: (chunk) => push(decoder.write(chunk)),
    end() {
      push(decoder.end());
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}
