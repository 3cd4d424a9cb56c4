import { ConfigurationError } from '../errors/client-error.ts';
import { readFlag, readVariable, type Environment } from './environment.ts';

/** Where the roles of a platform are. Hosts are `name[:port]` and may have a path prefix; URLs have no slash at the end. */
export interface Hosts {
  /** gRPC controller, `name[:port]`. */
  grpc: string;
  /** REST of accounts and app files. */
  accountUrl: string;
  /** REST of queues, logs and metrics. */
  restUrl: string;
  runUrl: string;
  queueUrl: string;
}

const defaultHost = 'api.alpha.fal.ai';

/**
 * The hosts of a platform from a gRPC host and the variables, as the official client derives them.
 *
 * Two rules of it are kept although they look alike: `accountUrl` honours `FAL_REST_HOST`; `restUrl` is the gRPC host with
 * the first `api` anywhere turned into `rest`. One is not: a `host` given in code leads all others too, so that files and
 * calls never reach another platform than the app. Without `api` in front it is a Lanner that has everything on one host
 * and tells it apart by path.
 * @throws ConfigurationError `invalid_host` for a scheme, a path, or a `FAL_HOST` or profile host without leading `api`.
 */
export function resolveHosts(
  environment: Environment,
  explicitHost: string | undefined,
  profileHost: { value: string; from: string } | undefined,
): Hosts {
  const testMode = readFlag(environment, 'ISOLATE_TEST_MODE');
  const grpc = chooseHost(environment, explicitHost, profileHost).value;
  const scheme = testMode || readFlag(environment, 'ISOLATE_AUTH_DISABLED') ? 'http' : 'https';
  const restHost = readVariable(environment, 'REST_HOST')?.value;
  const variables = explicitHost && explicitHost !== variableHost(environment) ? {} : environment;
  const hasPaths = explicitHost !== undefined && explicitHost !== '' && !testMode && !grpc.startsWith('api.');
  const run = readVariable(variables, 'RUN_HOST')?.value ?? (hasPaths ? `${grpc}/run` : deriveRunHost(grpc));
  const queue = readVariable(variables, 'QUEUE_RUN_HOST')?.value ?? (hasPaths ? `${grpc}/queue` : `queue.${run}`);
  const leading = grpc.startsWith('api') ? grpc.replace('api', 'rest') : grpc;
  return {
    grpc,
    accountUrl: `${scheme}://${explicitHost ? leading : (restHost ?? leading)}`,
    restUrl: `${scheme}://${grpc.replace('api', 'rest')}`,
    runUrl: `https://${run}`,
    queueUrl: `https://${queue}`,
  };
}

/**
 * The gRPC host and where it was found: `host` in code, a variable, a profile, or `null` for the hosted platform's own.
 * @throws ConfigurationError as {@link resolveHosts}
 */
export function chooseHost(
  environment: Environment,
  explicitHost: string | undefined,
  profileHost: { value: string; from: string } | undefined,
): { value: string; from: string | null } {
  const explicit = explicitHost
    ? { value: explicitHost, from: 'the option host' }
    : firstOf(environment, unguardedNames);
  if (explicit) return { value: checked(explicit), from: explicit.from };
  const found = firstOf(environment, ['FAL_HOST']) ?? profileHost;
  if (found === undefined) return { value: defaultHost, from: null };
  return { value: checked(guarded(found, readFlag(environment, 'ISOLATE_TEST_MODE'))), from: found.from };
}

/** The run host of a gRPC host: without the first `api.` and `alpha.`, the first `.ai` as `.run`. */
export function deriveRunHost(grpcHost: string): string {
  return grpcHost.replace('api.', '').replace('alpha.', '').replace('.ai', '.run');
}

/** Variables whose host is taken as it is. */
const unguardedNames = ['LANNER_GRPC_HOST', 'LANNER_HOST', 'FAL_GRPC_HOST'];

const variableHost = (environment: Environment): string | undefined =>
  firstOf(environment, [...unguardedNames, 'FAL_HOST'])?.value;

function firstOf(environment: Environment, names: string[]): { value: string; from: string } | undefined {
  for (const from of names) {
    const value = environment[from]?.trim();
    if (value) return { value, from };
  }
  return undefined;
}

function guarded(found: { value: string; from: string }, testMode: boolean): { value: string; from: string } {
  if (testMode || found.value.startsWith('api')) return found;
  throw new ConfigurationError(
    'invalid_host',
    `The host "${found.value}" from ${found.from} does not start with "api".`,
    {
      advice: 'Set LANNER_HOST or FAL_GRPC_HOST for a host of another name: these are taken as they are.',
    },
  );
}

function checked(found: { value: string; from: string }): string {
  if (/^[^\s/@?#]+$/.test(found.value)) return found.value;
  throw new ConfigurationError(
    'invalid_host',
    `The host "${found.value}" from ${found.from} is not a name with an optional port.`,
    {
      advice: 'Give it without scheme and path, e.g. "localhost:8443".',
    },
  );
}
