import type { Environment } from './environment.ts';

/** The variables of this process as they are when asked for; the one place of the package that reads them. */
export function processEnvironment(): Environment {
  return { ...process.env };
}
