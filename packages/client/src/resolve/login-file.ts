import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { falHome } from './config-file.ts';
import type { Environment } from './environment.ts';

/** The login token file that `fal auth login` writes: two lines, refresh token and access token. */
export function readLoginFile(environment: Environment): { path: string; text: string | undefined } {
  const path = join(falHome(environment), 'auth0_token');
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch {
    return { path, text: undefined };
  }
}
