import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
let measure: ((text: string) => number) | undefined;

/** Characters of one column each: ASCII, Latin, and what boxes and rules are drawn with. */
const plain = /^[\u0020-\u007E\u00A0-\u00AC\u00AE-\u02FF\u2500-\u259F]*$/;

/** Columns a text takes on a terminal. What knows wide characters is loaded with the first text that may have some. */
export function textWidth(text: string): number {
  if (plain.test(text)) return text.length;
  measure ??= (require('string-width') as { default: (text: string) => number }).default;
  return measure(text);
}
