import { LannerError, type EnvironmentDefinition, type HealthCheck } from '@lanner/protocol';
import { ApplicationHealthCheckConfig_Method, type HostedRun } from '@lanner/protocol/controller';
import type { SerializedObject } from '@lanner/protocol/common';
import type { EnvironmentDefinition as SentEnvironment } from '@lanner/protocol/isolate';
import type { CodeSpec } from '../../apps/app-types.ts';
import { parseAppFiles, parseDataMounts } from './code-files.ts';

/** What HostedRun and RegisterApplicationRequest have in common: everything that says which code runs, and where. */
export type SentCode = Pick<
  HostedRun,
  | 'environments'
  | 'machineRequirements'
  | 'callable'
  | 'setupFunc'
  | 'files'
  | 'dataMounts'
  | 'secrets'
  | 'runOnMainThread'
  | 'healthCheckConfig'
  | 'volumes'
> & {
  terminationGracePeriodSeconds?: number | undefined;
  /** Older form of `healthCheckConfig`, a path alone. */
  healthCheckPath?: string | undefined;
};

/** A callable as it was sent; its bytes are not stored yet. */
export type CallableDraft =
  | { kind: 'serialized'; function: PickledDraft; setup: PickledDraft | null }
  | { kind: 'entrypoint'; entrypoint: string };

export interface PickledDraft {
  method: string;
  definition: Uint8Array;
}

/** A {@link CodeSpec} whose pickles still lie in the request. */
export interface CodeDraft extends Omit<CodeSpec, 'callable'> {
  callable: CallableDraft | null;
  /** `force` of the sent environment: build anew although a finished tree exists. */
  forceBuild: boolean;
}

const environmentKinds = ['virtualenv', 'container', 'conda'] as const;

/** Largest pickle of one callable: its arguments travel inside. */
const largestDefinitionBytes = 1024 ** 3;

const defaultGraceSeconds = 5;

const defaultHealthCheck = { startPeriodSeconds: 30, timeoutSeconds: 5, failureThreshold: 3 };

function refuse(message: string): never {
  throw new LannerError('invalid_argument', message);
}

/**
 * Reads the code part of a run or deploy request. Pure; says what was seen where a value is refused. Ports, GPUs and
 * the grace period are checked by the apps domain.
 *
 * @param startupTimeoutSeconds of the settings in force; a longer one replaces the health check's start period.
 * @throws `invalid_argument`, `unimplemented` (named volumes)
 */
export function parseCode(sent: SentCode, startupTimeoutSeconds: number): CodeDraft {
  if (sent.volumes.length > 0) {
    throw new LannerError('unimplemented', 'Named volumes are not supported yet; use data_mounts below /data.');
  }
  const { environment, forceBuild } = parseEnvironment(sent.environments);
  const requirements = sent.machineRequirements;
  return {
    environment,
    forceBuild,
    callable: parseCallable(sent, environment),
    // A callable on the main thread is right for every kind; only an explicit false moves it away.
    runOnMainThread: sent.runOnMainThread ?? true,
    exposedPort: requirements?.exposedPort ?? null,
    metricsPort: requirements?.metricsPort ?? null,
    healthCheck: parseHealthCheck(sent, startupTimeoutSeconds),
    files: parseAppFiles(sent.files),
    dataMounts: parseDataMounts(sent.dataMounts),
    secretNames: sent.secrets === undefined ? null : [...new Set(sent.secrets.names)],
    terminationGraceSeconds: sent.terminationGracePeriodSeconds ?? defaultGraceSeconds,
    numGpus: requirements?.numGpus ?? null,
  };
}

/**
 * The one environment of a request.
 * @throws `invalid_argument` for none, several, or an unknown kind.
 */
export function parseEnvironment(sent: SentEnvironment[]): { environment: EnvironmentDefinition; forceBuild: boolean } {
  const [first] = sent;
  if (first === undefined) refuse('At least one environment must be specified for a run!');
  if (sent.length > 1) refuse(`Code runs in exactly one environment, but ${sent.length} were sent.`);
  const kind = environmentKinds.find((known) => known === first.kind);
  if (kind === undefined) {
    refuse(
      `Unknown environment kind: ${JSON.stringify(first.kind.slice(0, 100))}. Known kinds: ${environmentKinds.join(', ')}.`,
    );
  }
  return { environment: { kind, configuration: first.configuration ?? {} }, forceBuild: first.force };
}

/**
 * A client that names a built environment must mean the one it describes.
 * @throws `invalid_argument`
 */
export function assertEnvironmentId(sent: string | undefined, built: string): void {
  if (sent === undefined || sent === '' || sent === built) return;
  refuse(`env_id is ${JSON.stringify(sent.slice(0, 100))}, but the environment in the request has the id "${built}".`);
}

function parseCallable(sent: SentCode, environment: EnvironmentDefinition): CallableDraft | null {
  switch (sent.callable.case) {
    case 'function':
      return {
        kind: 'serialized',
        function: parsePickle('function', sent.callable.value),
        setup: sent.setupFunc === undefined ? null : parsePickle('setup function', sent.setupFunc),
      };
    case 'entrypoint':
      if (sent.setupFunc !== undefined) refuse("'setup_func' is not supported together with 'entrypoint'.");
      if (!/^[^\s:]+:[^\s:]+$/.test(sent.callable.value) || sent.callable.value.length > 1000) {
        refuse(
          `The entrypoint ${JSON.stringify(sent.callable.value.slice(0, 200))} cannot be used: write it as "module:attribute".`,
        );
      }
      return { kind: 'entrypoint', entrypoint: sent.callable.value };
    case undefined: {
      const image = environment.kind === 'container' ? environment.configuration['image'] : undefined;
      const usesOwnCommand =
        typeof image === 'object' && image !== null && !Array.isArray(image) && image['use_isolate'] === false;
      if (!usesOwnCommand) refuse("One of 'function' or 'entrypoint' must be set.");
      return null;
    }
  }
}

function parsePickle(label: string, sent: SerializedObject): PickledDraft {
  if (!/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(sent.method) || sent.method.length > 100) {
    refuse(
      `The ${label} names the serialization method ${JSON.stringify(sent.method.slice(0, 100))}, which is not a Python module; ` +
        'cloudpickle is the usual one.',
    );
  }
  if (sent.definition.byteLength === 0) refuse(`The ${label} is empty: there are no pickled bytes in the request.`);
  if (sent.definition.byteLength > largestDefinitionBytes) {
    refuse(
      `The ${label} is pickled to ${sent.definition.byteLength} bytes, more than the limit of ${largestDefinitionBytes}. ` +
        'Pass large inputs as files or URLs instead of arguments.',
    );
  }
  return { method: sent.method, definition: sent.definition };
}

function parseHealthCheck(sent: SentCode, startupTimeoutSeconds: number): HealthCheck | null {
  const config = sent.healthCheckConfig;
  const path = config?.path ?? sent.healthCheckPath;
  if (path === undefined || path === '') return null;
  if (!path.startsWith('/') || path.length > 2000 || /[\s\0]/.test(path)) {
    refuse(
      `The health check path ${JSON.stringify(path.slice(0, 200))} cannot be used: it begins with "/" and has no spaces.`,
    );
  }
  const positive = (field: string, value: number | undefined, otherwise: number): number => {
    if (value === undefined) return otherwise;
    if (value < 1 || value > 24 * 3600)
      refuse(`${field} of the health check is ${value}, but it must be between 1 and 86400.`);
    return value;
  };
  const sentStartPeriod = config?.startPeriodSeconds;
  if (sentStartPeriod !== undefined && (sentStartPeriod < 0 || sentStartPeriod > 24 * 3600)) {
    refuse(`start_period_seconds of the health check is ${sentStartPeriod}, but it must be between 0 and 86400.`);
  }
  const startPeriodSeconds = Math.max(sentStartPeriod ?? defaultHealthCheck.startPeriodSeconds, startupTimeoutSeconds);
  const method = parseHealthCheckMethod(config?.method);
  return {
    path,
    ...(method === undefined ? {} : { method }),
    startPeriodMs: startPeriodSeconds * 1000,
    timeoutMs: positive('timeout_seconds', config?.timeoutSeconds, defaultHealthCheck.timeoutSeconds) * 1000,
    failureThreshold: positive('failure_threshold', config?.failureThreshold, defaultHealthCheck.failureThreshold),
    callRegularly: config?.callRegularly ?? true,
  };
}

function parseHealthCheckMethod(sent: number | undefined): 'GET' | 'POST' | undefined {
  switch (sent) {
    case undefined:
      return undefined;
    case ApplicationHealthCheckConfig_Method.GET:
      return 'GET';
    case ApplicationHealthCheckConfig_Method.POST:
      return 'POST';
    default:
      return refuse(`The health check method has the number ${sent}; known are 0 (GET) and 1 (POST).`);
  }
}
