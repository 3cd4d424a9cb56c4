import { ConfigurationError } from '../errors/client-error.ts';
import { tokenEndsMs, type Credentials } from './credentials.ts';
import type { Environment } from './environment.ts';
import { readLoginFile, writeLoginFile } from './login-file.ts';
import type { RenewLogin } from './renew-login.ts';

/** A token that was just renewed is good until shortly before its end, however short it lives. */
const renewedMarginMs = 60_000;

/** Credentials of a client over its life: a key stays, a login ends and is renewed. */
export interface CredentialSource {
  /** Those in effect now. @throws ConfigurationError, `login_expired` among others. */
  current(): Credentials;
  /** As `current`, after a login that is about to end was renewed. Callers at the same time share one renewal. */
  signing(): Promise<Credentials>;
}

/** @param resolve finds the credentials in variables and files as they are now */
export function createCredentialSource(
  resolve: () => Credentials,
  environment: Environment,
  renew: RenewLogin | undefined,
): CredentialSource {
  let kept: Credentials | undefined;
  let renewed: Extract<Credentials, { kind: 'login' }> | undefined;
  let renewing: Promise<void> | undefined;

  const current = (): Credentials => {
    if (kept && kept.kind !== 'login') return kept;
    try {
      return (kept = resolve());
    } catch (error) {
      if (!hasExpired(error) || !renewed) throw error;
      const endsMs = tokenEndsMs(renewed.accessToken);
      if (endsMs !== null && endsMs - Date.now() < renewedMarginMs) throw error;
      return renewed;
    }
  };

  const renewFile = async (expired: ConfigurationError): Promise<void> => {
    const { path, text = '' } = readLoginFile(environment);
    const refreshToken = text.split('\n')[0]?.trim();
    if (!renew || !refreshToken) throw expired;
    try {
      const tokens = await renew(refreshToken);
      writeLoginFile(path, tokens.refreshToken ?? refreshToken, tokens.accessToken);
      renewed = { kind: 'login', accessToken: tokens.accessToken, from: path };
    } catch (error) {
      // Another program may have renewed it at the same time, which made our refresh token useless.
      if (readLoginFile(environment).text !== text) return;
      throw new ConfigurationError(
        'login_expired',
        `The login in ${path} has ended and could not be renewed: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error, advice: 'Run `fal auth login`, or set FAL_KEY.' },
      );
    }
  };

  return {
    current,
    async signing() {
      try {
        return current();
      } catch (error) {
        if (!hasExpired(error)) throw error;
        renewing ??= renewFile(error).finally(() => (renewing = undefined));
        await renewing;
        return current();
      }
    },
  };
}

const hasExpired = (error: unknown): error is ConfigurationError =>
  error instanceof ConfigurationError && error.code === 'login_expired';
