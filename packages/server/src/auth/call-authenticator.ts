import type { AppTokens } from './app-tokens.ts';
import { splitKey } from './parse-credential.ts';
import type { Authenticator, PresentedCredential } from './principal.ts';

/**
 * Checks the credentials of calls of apps: what `authenticator` takes, and short-lived tokens. Only for callers that look at
 * `Principal.allowedApps`; everybody else uses `authenticator`, which knows no tokens.
 */
export function createCallAuthenticator(options: { authenticator: Authenticator; tokens: AppTokens }): Authenticator {
  const { authenticator, tokens } = options;
  const isToken = (presented: PresentedCredential): presented is { kind: 'bearer'; token: string } =>
    presented.kind === 'bearer' && splitKey(presented.token) === null;
  return {
    authenticate: (presented) =>
      isToken(presented) ? tokens.verify(presented.token) : authenticator.authenticate(presented),
    authenticateOptional: (presented) =>
      isToken(presented) ? tokens.verify(presented.token) : authenticator.authenticateOptional(presented),
  };
}
