import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Tokens of a login, as the official client keeps them: one per line. */
export interface Login {
  refreshToken: string;
  accessToken: string | undefined;
}

const tokenFile = (home: string): string => join(home, 'auth0_token');
const connectionFile = (home: string): string => join(home, 'last_auth_connection');

/** `null` when nobody is logged in. */
export function readLogin(home: string): Login | null {
  const path = tokenFile(home);
  if (!existsSync(path)) return null;
  const [refreshToken = '', accessToken = ''] = readFileSync(path, 'utf8').split('\n');
  return refreshToken.trim() === ''
    ? null
    : { refreshToken: refreshToken.trim(), accessToken: accessToken.trim() || undefined };
}

export function saveLogin(home: string, { refreshToken, accessToken }: Login): void {
  mkdirSync(home, { recursive: true });
  const lines = [refreshToken, ...(accessToken === undefined ? [] : [accessToken])];
  writeFileSync(tokenFile(home), lines.join('\n'), { mode: 0o600 });
}

export function deleteLogin(home: string): void {
  rmSync(tokenFile(home), { force: true });
}

/** How the user logged in last: offered first the next time. */
export function lastConnection(home: string): string | undefined {
  const path = connectionFile(home);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() || undefined : undefined;
}

export function saveLastConnection(home: string, connection: string): void {
  mkdirSync(home, { recursive: true });
  writeFileSync(connectionFile(home), connection);
}
