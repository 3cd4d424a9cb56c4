import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../output.ts';
import type { Login } from './login-file.ts';

/**
 * The hosted platform's login for programs (OAuth 2.0 device authorization, RFC 8628). Domain, client id, audience and the
 * page that chooses the way to log in are the official client's.
 */
const domain = 'auth.fal.ai';
const website = 'https://fal.ai';
const clientId = 'TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N';
const audience = 'fal-cloud';
const scope = 'openid profile email offline_access';

/** What the login service is reached with. */
export interface LoginService {
  fetch: typeof fetch;
  /** Resolves after so many milliseconds; rejects when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The login service over the network. */
export const networkLogin: LoginService = { fetch, sleep: (ms, signal) => sleep(ms, undefined, { signal }) };

/** A login that waits for its user: what to open and what to compare. */
export interface PendingLogin {
  url: string;
  userCode: string;
  deviceCode: string;
  intervalMs: number;
}

/** Asks for a login and says where the user confirms it. `connection` is `github`, `google` or a company's domain. */
export async function beginLogin(
  service: LoginService,
  connection: string | undefined,
  signal: AbortSignal,
): Promise<PendingLogin> {
  const answer = await post(service, 'oauth/device/code', { audience, client_id: clientId, scope }, signal);
  if (answer.status !== 200) throw new CommandError('Error generating the device code.', 'Try again in a moment.');
  const { user_code, device_code, verification_uri_complete, interval } = answer.body;
  const confirmation = String(verification_uri_complete);
  const query = { user_code: String(user_code), verification_uri_complete: confirmation, connection: connection ?? '' };
  return {
    url:
      connection === undefined
        ? logoutUrl(confirmation)
        : `${website}/api/auth/cli/session-seed?${new URLSearchParams(query).toString()}`,
    userCode: String(user_code),
    deviceCode: String(device_code),
    intervalMs: (typeof interval === 'number' ? interval : 5) * 1000,
  };
}

/** Waits until the user has confirmed; rejects when they refuse, take too long, or the signal fires. */
export async function finishLogin(service: LoginService, pending: PendingLogin, signal: AbortSignal): Promise<Login> {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: pending.deviceCode,
    client_id: clientId,
  };
  let { intervalMs } = pending;
  for (;;) {
    const answer = await post(service, 'oauth/token', form, signal);
    if (answer.status === 200) return toLogin(answer.body);
    if (answer.body['error'] === 'slow_down') intervalMs += 5000;
    else if (answer.body['error'] !== 'authorization_pending') throw refused(answer.body);
    await service.sleep(intervalMs, signal);
  }
}

/** Makes the refresh token useless. */
export async function revokeLogin(service: LoginService, refreshToken: string, signal: AbortSignal): Promise<void> {
  const answer = await post(service, 'oauth/revoke', { client_id: clientId, token: refreshToken }, signal);
  if (answer.status !== 200) throw refused(answer.body);
}

/** The page that ends the session of the browser, and goes on to another. */
export function logoutUrl(next: string = website): string {
  return `https://${domain}/v2/logout?client_id=${clientId}&returnTo=${encodeURIComponent(next)}`;
}

function toLogin(body: Record<string, unknown>): Login {
  const { refresh_token, access_token } = body;
  return {
    refreshToken: typeof refresh_token === 'string' ? refresh_token : '',
    accessToken: typeof access_token === 'string' ? access_token : undefined,
  };
}

function refused(body: Record<string, unknown>): CommandError {
  const why = typeof body['error_description'] === 'string' ? body['error_description'] : 'The login was refused.';
  return new CommandError(why, 'Run `lanner auth login` again.');
}

async function post(
  service: LoginService,
  path: string,
  form: Record<string, string>,
  signal: AbortSignal,
): Promise<{ status: number; body: Record<string, unknown> }> {
  let response: Response;
  try {
    response = await service.fetch(`https://${domain}/${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
      signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new CommandError(`The login service ${domain} cannot be reached.`, 'Check your network and proxy.');
  }
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  return { status: response.status, body };
}
