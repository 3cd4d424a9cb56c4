import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { falHome } from './config-file.ts';
import type { Environment } from './environment.ts';

/** The login token file that `fal auth login` writes: refresh token in the first line, access token in the second. */
export function readLoginFile(environment: Environment): { path: string; text: string | undefined } {
  const path = join(falHome(environment), 'auth0_token');
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch {
    return { path, text: undefined };
  }
}

/** Replaces the tokens; who reads meanwhile sees the old ones or the new ones. */
export function writeLoginFile(path: string, refreshToken: string, accessToken: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${refreshToken}\n${accessToken}`, { mode: 0o600 });
  renameSync(temporary, path);
}
