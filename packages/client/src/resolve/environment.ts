/**
 * The variables of a process; `process.env` unless a caller passes its own.
 *
 * @example
 * ```ts
 * const environment: Environment = { FAL_GRPC_HOST: 'localhost:8443', FAL_KEY: 'key-id:key-secret' };
 * const other = new ServerlessClient({ environment });
 * ```
 */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A setting by the last part of its name: `HOST` is `LANNER_HOST`, else `FAL_HOST`. Empty values count as absent.
 * @returns value and the name it was found under, for messages.
 */
export function readVariable(environment: Environment, suffix: string): { value: string; from: string } | undefined {
  for (const from of [`LANNER_${suffix}`, `FAL_${suffix}`]) {
    const value = environment[from]?.trim();
    if (value) return { value, from };
  }
  return undefined;
}

/** How fal reads booleans: set and none of `0`, `false` and empty. */
export function readFlag(environment: Environment, name: string): boolean {
  const value = environment[name]?.trim().toLowerCase();
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
