import type { Json } from '@lanner/protocol';
import { parseText } from './definition-values.ts';

/** Requirements, or conda packages and channels, that one environment may list. */
export const maxRequirements = 2000;
/** Options that take the following string as their value when it was sent as a string of its own. */
const optionsWithValue = new Set([
  '-i',
  '--index-url',
  '--extra-index-url',
  '-f',
  '--find-links',
  '--no-binary',
  '--only-binary',
  '-c',
  '--constraint',
  '-r',
  '--requirement',
]);

/**
 * The lines of a requirements file: any specifier, URL or `git+…`, and also an option such as `--extra-index-url URL`, in one
 * string or two. Options are allowed because builds run in the sandbox, where they reach nothing that the code of a source
 * distribution could not reach.
 * @throws LannerError `build_failed` for what is not one line of text.
 */
export function parseRequirementLines(values: readonly Json[]): string[] {
  return joinOptions(values.map((value) => parseText(value, 'requirement')).filter((line) => line !== ''));
}

function joinOptions(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    const previous = joined.at(-1);
    if (previous !== undefined && optionsWithValue.has(previous)) joined[joined.length - 1] = `${previous} ${line}`;
    else joined.push(line);
  }
  return joined;
}
