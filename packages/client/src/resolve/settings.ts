import { ConfigurationError } from '../errors/client-error.ts';
import { readConfigFile, type ConfigFile } from './config-file.ts';
import { createCredentialSource } from './credential-source.ts';
import { resolveCredentials, type Credentials } from './credentials.ts';
import { readVariable, type Environment } from './environment.ts';
import { resolveHosts, type Hosts } from './hosts.ts';
import { readLoginFile } from './login-file.ts';
import type { RenewLogin } from './renew-login.ts';

/** What a client was told in code. */
export interface SettingsInput {
  host?: string | undefined;
  apiKey?: string | undefined;
  profile?: string | undefined;
  team?: string | undefined;
}

/** Everything a client needs to know, each found out when it is first asked for and then kept. */
export interface Settings {
  hosts(): Hosts;
  credentials(): Credentials;
  /** The same for a call that is about to be made: a login that ends is renewed first. */
  signing(): Promise<Credentials>;
  /** Nickname of the team in effect. */
  team(): string | undefined;
  environment: Environment;
}

/**
 * Lazy settings over an environment and the files it names. Reads nothing yet.
 * @param renew gets new tokens for a login; without it, one that has ended is an error
 */
export function createSettings(input: SettingsInput, environment: Environment, renew?: RenewLogin): Settings {
  const config = once(() => readConfigFile(environment));
  const resolve = (): Credentials =>
    resolveCredentials({
      environment,
      config: config(),
      profile: input.apiKey === undefined ? profileFor(environment, input.profile, config()) : undefined,
      apiKey: input.apiKey,
      loginFile: readLoginFile(environment),
      nowMs: Date.now(),
    });
  const credentials = createCredentialSource(resolve, environment, renew);
  return {
    environment,
    hosts: once(() => resolveHosts(environment, input.host, profileHost(environment, input, config))),
    credentials: credentials.current,
    signing: credentials.signing,
    team: once(() => input.team ?? (environment['LANNER_TEAM'] || config().team)),
  };
}

/**
 * The profile in effect: asked for in code, `LANNER_PROFILE`/`FAL_PROFILE`, the default one of the file.
 * @throws ConfigurationError `invalid_profile` when the one asked for in code is not in the file; elsewhere an unknown
 *   name means no profile, as with the official client.
 */
export function profileFor(
  environment: Environment,
  asked: string | undefined,
  config: ConfigFile,
): string | undefined {
  if (asked !== undefined) {
    if (config.profiles.has(asked)) return asked;
    throw new ConfigurationError(
      'invalid_profile',
      `There is no profile "${asked}" in ${config.path}${config.exists ? '' : ' (no such file)'}; ` +
        `it has ${[...config.profiles.keys()].map((name) => `"${name}"`).join(', ') || 'none'}.`,
      { advice: '`fal profile create` makes one.', details: { candidates: [...config.profiles.keys()] } },
    );
  }
  const name = readVariable(environment, 'PROFILE')?.value ?? config.defaultProfile;
  return name !== undefined && config.profiles.has(name) ? name : undefined;
}

/** The host comes from the default profile only, never from the one asked for in code: so does the official client. */
export function profileHost(
  environment: Environment,
  input: SettingsInput,
  config: () => ConfigFile,
): { value: string; from: string } | undefined {
  const known = ['LANNER_GRPC_HOST', 'LANNER_HOST', 'FAL_GRPC_HOST', 'FAL_HOST'].some((name) =>
    environment[name]?.trim(),
  );
  if (input.host || known) return undefined;
  const name = profileFor(environment, undefined, config());
  const host = name === undefined ? undefined : config().profiles.get(name)?.host;
  return host === undefined ? undefined : { value: host, from: `the profile "${name}" in ${config().path}` };
}

function once<T>(compute: () => T): () => T {
  let known: { value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}
