import { ConfigurationError } from '../errors/client-error.ts';
import { splitKey, type Credentials } from './credentials.ts';
import { readFlag, readVariable, type Environment } from './environment.ts';
import { resolveHosts } from './hosts.ts';
import type { Settings } from './settings.ts';

/**
 * Settings from what a program says alone, for where there are no files and no variables of a process.
 * @param input with `isSignedElsewhere`, a missing key is no error
 * @param environment variables that the program hands over, e.g. the bindings of an edge runtime
 */
export function createGivenSettings(
  input: { host?: string | undefined; apiKey?: string | undefined; isSignedElsewhere: boolean },
  environment: Environment,
): Settings {
  return {
    environment,
    hosts: () => resolveHosts(environment, input.host, undefined),
    credentials: () => givenCredentials(input, environment),
    signing: async () => givenCredentials(input, environment),
    team: () => undefined,
  };
}

/** @throws ConfigurationError `invalid_key`, `no_credentials`. */
function givenCredentials(
  { apiKey, isSignedElsewhere }: { apiKey?: string | undefined; isSignedElsewhere: boolean },
  environment: Environment,
): Credentials {
  if (readFlag(environment, 'ISOLATE_AUTH_DISABLED')) return { kind: 'none' };
  if (apiKey !== undefined) return splitKey(apiKey, 'the option apiKey');
  const found = readVariable(environment, 'KEY');
  if (found) return splitKey(found.value, found.from);
  if (isSignedElsewhere) return { kind: 'none' };
  throw new ConfigurationError(
    'no_credentials',
    'No key was given. Looked at the option apiKey, and at LANNER_KEY and FAL_KEY in the option environment; ' +
      'this build of the client reads no files and no variables of a process.',
    { advice: 'Give `apiKey: "<key id>:<key secret>"`; in a page, let a server of yours sign the calls.' },
  );
}
