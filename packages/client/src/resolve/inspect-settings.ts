import { ClientError, type ClientErrorCode } from '../errors/client-error.ts';
import { configPath, falHome, readConfigFile } from './config-file.ts';
import type { Environment } from './environment.ts';
import { chooseHost } from './hosts.ts';
import { processEnvironment } from './process-environment.ts';
import { createSettings, profileFor, profileHost, type SettingsInput } from './settings.ts';

/**
 * Where a client would go, and as whom. Holds no secret.
 *
 * @example
 * ```ts
 * const report: SettingsReport = inspectSettings();
 * console.log(report);
 * ```
 */
export interface SettingsReport {
  /** gRPC host. */
  host: string;
  /** What named it; `null` = nothing did, so it is the hosted platform. */
  hostFrom: string | null;
  credentials:
    | { kind: 'key'; keyId: string; from: string }
    | { kind: 'login'; from: string }
    /** Authentication is off (`ISOLATE_AUTH_DISABLED`). */
    | { kind: 'none' }
    /** There are none, or they cannot be used: `invalid_key`, `login_expired`, `no_credentials`, `invalid_profile`. */
    | { kind: 'missing'; code: ClientErrorCode; error: ClientError };
  /** Profile in effect. */
  profile: string | undefined;
  team: string | undefined;
  /** `~/.fal/config.toml`, or where `FAL_CONFIG_PATH` says. */
  configPath: string;
  /** Folder of the login: `~/.fal`, or `FAL_HOME_DIR`. */
  homePath: string;
}

/**
 * Finds out what a client made with the same options would use, without calling anybody.
 * @throws ConfigurationError `invalid_host` or `invalid_config_file`
 *
 * @example
 * ```ts
 * import { inspectSettings } from '@lanner/client';
 *
 * const { host, credentials } = inspectSettings();
 * console.log(host, credentials.kind);
 * ```
 */
export function inspectSettings(
  options: SettingsInput & { environment?: Environment | undefined } = {},
): SettingsReport {
  const environment = options.environment ?? processEnvironment();
  const settings = createSettings(options, environment);
  const config = readConfigFile(environment);
  const host = chooseHost(
    environment,
    options.host,
    profileHost(environment, options, () => config),
  );
  return {
    host: host.value,
    hostFrom: host.from,
    credentials: credentialsOf(settings),
    profile: attempt(() => profileFor(environment, options.profile, config)),
    team: settings.team(),
    configPath: configPath(environment),
    homePath: falHome(environment),
  };
}

function credentialsOf(settings: ReturnType<typeof createSettings>): SettingsReport['credentials'] {
  try {
    const found = settings.credentials();
    if (found.kind === 'key') return { kind: 'key', keyId: found.keyId, from: found.from };
    return found.kind === 'login' ? { kind: 'login', from: found.from } : { kind: 'none' };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { kind: 'missing', code: error.code, error };
  }
}

function attempt<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch {
    return undefined;
  }
}
