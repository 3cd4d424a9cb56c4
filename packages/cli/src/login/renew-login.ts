import { setTimeout as sleep } from 'node:timers/promises';
import { refreshLogin, type LoginService } from './device-login.ts';
import { readLogin, saveLogin } from './login-file.ts';

/** The login service of the hosted platform, over the network. */
export const networkLogin: LoginService = { fetch, sleep: (ms, signal) => sleep(ms, undefined, { signal }) };

/** Gets a new access token for the login of this user; nobody logged in is nothing to do. */
export async function renewLogin(homePath: string, signal: AbortSignal): Promise<void> {
  const login = readLogin(homePath);
  if (login !== null) saveLogin(homePath, await refreshLogin(networkLogin, login.refreshToken, signal));
}
