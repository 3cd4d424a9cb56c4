import { ConnectionError } from '../errors/client-error.ts';
import { connectionFailure } from '../errors/connection-failure.ts';
import type { HttpTransport } from '../transport/http-transport.ts';

/** Tokens of a login. */
export interface LoginTokens {
  accessToken: string;
  /** They rotate: the old one is of no use any more. Left out, the old one stays. */
  refreshToken: string | undefined;
}

/** Gets new tokens for a refresh token; throws an error that says why not. */
export type RenewLogin = (refreshToken: string) => Promise<LoginTokens>;

/** The identity provider of the hosted platform; the official client has the same constants. */
const issuer = 'https://auth.fal.ai';
const clientId = 'TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N';
const longestWaitMs = 30_000;

/** Renews logins at the identity provider (rest-api 2.2). */
export function createLoginRenewal(transport: HttpTransport): RenewLogin {
  return async (refreshToken) => {
    const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
    let response: Response;
    try {
      response = await transport.send(`${issuer}/oauth/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(form).toString(),
        signal: AbortSignal.timeout(longestWaitMs),
      });
    } catch (error) {
      const { host } = new URL(issuer);
      throw (
        connectionFailure(error, host) ??
        new ConnectionError('connection_lost', `${host} did not answer.`, { cause: error })
      );
    }
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    const { access_token: accessToken, refresh_token: next } = answer;
    if (!response.ok || typeof accessToken !== 'string' || accessToken === '') {
      const why = answer['error_description'] ?? answer['error'];
      throw new Error(typeof why === 'string' ? why : `the identity provider answered ${response.status}`);
    }
    return { accessToken, refreshToken: typeof next === 'string' && next !== '' ? next : undefined };
  };
}
