export type VariablesFormat = 'shell' | 'dotenv' | 'json';

/** Variables as a shell's `eval`, a `.env` file or a JSON reader takes them; no newline at the end. */
export function formatVariables(variables: Readonly<Record<string, string>>, format: VariablesFormat): string {
  if (format === 'json') return JSON.stringify(variables, null, 2);
  const line = format === 'shell' ? shellLine : dotenvLine;
  return Object.entries(variables)
    .map(([name, value]) => line(name, value))
    .join('\n');
}

/** A key with its secret hidden, for terminals that others may look at. */
export function maskKey(key: string): string {
  return `${key.slice(0, key.indexOf(':') + 1)}********`;
}

const shellLine = (name: string, value: string): string => `export ${name}='${value.replaceAll("'", `'\\''`)}'`;

/** Quoted only where needed: `docker --env-file` would keep the quotes. */
const dotenvLine = (name: string, value: string): string =>
  `${name}=${/^[\w@%+=:,./[\]*-]*$/.test(value) ? value : `"${value.replaceAll(/["\\$]/g, String.raw`\$&`)}"`}`;
