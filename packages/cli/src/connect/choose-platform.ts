import type { SettingsReport } from '@lanner/client';
import type { ConnectionOptions } from '../command/command-context.ts';

/** Which platform a command talks to, and what was decisive. */
export type PlatformChoice =
  /** The one that runs on a data folder of this machine: `folder`, or the usual one. */
  | { kind: 'local'; folder: string | undefined }
  /** Key and host of a profile. */
  | { kind: 'profile'; profile: string }
  /** What variables, configuration file and login say; the hosted platform where they name no host. */
  | { kind: 'configured' }
  /** There is nothing to go by. */
  | { kind: 'nowhere' };

/**
 * The order in which a command looks for its platform, the same for all: `--data-dir`, `--profile`, `--host` and the host
 * variables, a key or login, and last the platform that runs on this machine. Pure but for `isLocalRunning`, which is asked
 * only when everything else says nothing.
 */
export function choosePlatform(
  options: ConnectionOptions,
  report: () => SettingsReport,
  local: () => { grpcHost: string } | null,
): PlatformChoice {
  if (options.dataDir !== undefined) return { kind: 'local', folder: options.dataDir };
  if (options.profile !== undefined) return { kind: 'profile', profile: options.profile };
  const { host, hostFrom, credentials } = report();
  if (credentials.kind !== 'missing' || credentials.code !== 'no_credentials') return { kind: 'configured' };
  const running = local();
  // Its own key fits, whether it was found or named.
  if (running !== null && (hostFrom === null || running.grpcHost === host)) return { kind: 'local', folder: undefined };
  return hostFrom === null ? { kind: 'nowhere' } : { kind: 'configured' };
}

/** The variables under which a platform, key or certificates may be named; those of another platform must not mix in. */
const platformVariables =
  /^(LANNER|FAL)_(GRPC_HOST|HOST|REST_HOST|RUN_HOST|QUEUE_RUN_HOST|WS_RUN_HOST|KEY|KEY_ID|KEY_SECRET|PROFILE|FORCE_AUTH_BY_USER)$|^ISOLATE_(TEST_MODE|AUTH_DISABLED)$/;

/** An environment in which no platform is named. */
export function withoutPlatform(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !platformVariables.test(name)));
}
