import { ConfigurationError } from '../errors/client-error.ts';
import type { ConfigFile } from './config-file.ts';
import { readFlag, readVariable, type Environment } from './environment.ts';

/** What a call is signed with. */
export type Credentials =
  | { kind: 'none' }
  | { kind: 'key'; keyId: string; keySecret: string; from: string }
  | { kind: 'login'; accessToken: string; from: string };

/** What {@link resolveCredentials} looks at. */
export interface CredentialSources {
  environment: Environment;
  config: ConfigFile;
  /** Name of the profile in effect, if any. */
  profile: string | undefined;
  /** `apiKey` of the client, if given. */
  apiKey: string | undefined;
  /** Text of the login token file; `undefined` when there is none. */
  loginFile: { path: string; text: string | undefined };
  nowMs: number;
}

/** A token that ends sooner than this is not used any more (the official client refreshes it then). */
const tokenMarginMs = 30 * 60_000;

/**
 * The credentials in effect: `apiKey`, `LANNER_KEY`/`FAL_KEY`, the profile's key, `FAL_KEY_ID` + `FAL_KEY_SECRET`, the
 * login of `fal auth login`. A malformed key ends the search for keys.
 * @throws ConfigurationError `invalid_key`, `login_expired` or `no_credentials`, naming every place that was looked at.
 */
export function resolveCredentials(sources: CredentialSources): Credentials {
  const { environment, config, profile, apiKey, loginFile } = sources;
  if (readFlag(environment, 'ISOLATE_AUTH_DISABLED')) return { kind: 'none' };
  if (apiKey !== undefined) return splitKey(apiKey, 'the option apiKey');

  let malformed: string | undefined;
  if (!readFlag(environment, 'FAL_FORCE_AUTH_BY_USER')) {
    const found = findKey(environment, config, profile);
    if (found && found.value.includes(':')) return splitKey(found.value, found.from);
    malformed = found?.from;
    const id = readVariable(environment, 'KEY_ID')?.value;
    const secret = readVariable(environment, 'KEY_SECRET')?.value;
    if (!found && id && secret)
      return { kind: 'key', keyId: id, keySecret: secret, from: 'FAL_KEY_ID and FAL_KEY_SECRET' };
  }
  const token = loginFile.text?.split('\n')[1]?.trim();
  if (token && tokenIsFresh(token, sources.nowMs)) return { kind: 'login', accessToken: token, from: loginFile.path };
  if (malformed) throw malformedKey(malformed);
  if (loginFile.text?.trim()) {
    throw new ConfigurationError('login_expired', `The login in ${loginFile.path} has ended.`, {
      advice: 'Run `fal auth login`, or set FAL_KEY.',
    });
  }
  throw new ConfigurationError(
    'no_credentials',
    `No key and no login was found. Looked at the option apiKey, LANNER_KEY, FAL_KEY, ` +
      `${profile ? `the profile "${profile}"` : 'the profile (none is set)'} in ${config.path}${config.exists ? '' : ' (no such file)'}, ` +
      `FAL_KEY_ID with FAL_KEY_SECRET, and ${loginFile.path}.`,
    { advice: 'Set FAL_KEY to "<key id>:<key secret>"; `lanner env` prints one for a platform of your own.' },
  );
}

/** The headers that sign a plain HTTP call. */
export function httpHeaders(credentials: Credentials, teamUserId: string | undefined): Record<string, string> {
  if (credentials.kind === 'key') return { authorization: `Key ${credentials.keyId}:${credentials.keySecret}` };
  if (credentials.kind === 'none') return {};
  return {
    authorization: `Bearer ${credentials.accessToken}`,
    ...(teamUserId === undefined ? {} : { 'x-fal-user-id': teamUserId }),
  };
}

/** The metadata that signs a gRPC call. */
export function grpcMetadata(credentials: Credentials, teamUserId: string | undefined): Record<string, string> {
  if (credentials.kind === 'key') return { 'auth-key-id': credentials.keyId, 'auth-key': credentials.keySecret };
  if (credentials.kind === 'none') return {};
  return {
    authorization: `Bearer ${credentials.accessToken}`,
    ...(teamUserId === undefined ? {} : { 'fal-user-id': teamUserId }),
  };
}

function findKey(
  environment: Environment,
  config: ConfigFile,
  profile: string | undefined,
): { value: string; from: string } | undefined {
  const fromEnvironment = readVariable(environment, 'KEY');
  if (fromEnvironment) return fromEnvironment;
  const key = profile === undefined ? undefined : config.profiles.get(profile)?.key;
  return key === undefined ? undefined : { value: key, from: `the profile "${profile}" in ${config.path}` };
}

/** @throws ConfigurationError `invalid_key`, naming where the key came from. */
export function splitKey(key: string, from: string): Credentials {
  const colon = key.indexOf(':');
  if (colon <= 0 || colon === key.length - 1) throw malformedKey(from);
  return { kind: 'key', keyId: key.slice(0, colon), keySecret: key.slice(colon + 1), from };
}

function malformedKey(from: string): ConfigurationError {
  return new ConfigurationError('invalid_key', `The key from ${from} is not of the form "<key id>:<key secret>".`, {
    advice: 'Copy the whole key, with the colon; `lanner keys create` or `fal keys create` makes a new one.',
    details: { from },
  });
}

/** The token is a JWT whose `exp` is far enough, or has none; its signature is the server's business. */
function tokenIsFresh(token: string, nowMs: number): boolean {
  const endsMs = tokenEndsMs(token);
  return endsMs === null || endsMs - nowMs >= tokenMarginMs;
}

/** When a JWT ends, in milliseconds since the epoch; null = never, 0 = it is none. */
export function tokenEndsMs(token: string): number | null {
  const payload = token.split('.')[1];
  if (payload === undefined || token.split('.').length !== 3) return 0;
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : null;
  } catch {
    return 0;
  }
}
