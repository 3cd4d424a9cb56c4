/** Options of `exec` that take a value as a word of their own. */
const optionsWithValue = ['--data-dir'];

/**
 * Separates `lanner exec`'s own arguments from the command to run, so that no option of that command is ever read as
 * ours: everything after `--`, or from the first word on that is neither an option nor an option's value.
 */
export function splitExecArguments(argv: readonly string[]): { own: readonly string[]; command: readonly string[] } {
  const exec = argv.findIndex((word) => !word.startsWith('-'));
  if (argv[exec] !== 'exec') return { own: argv, command: [] };
  let index = exec + 1;
  while (index < argv.length && argv[index] !== '--' && argv[index]!.startsWith('-')) {
    index += optionsWithValue.includes(argv[index]!) ? 2 : 1;
  }
  return { own: argv.slice(0, index), command: argv.slice(argv[index] === '--' ? index + 1 : index) };
}
