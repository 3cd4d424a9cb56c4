import { LannerError, type AppFile, type HealthCheck, type StartRunnerRequest } from '@lanner/protocol';
import type { CodeSpec } from '../apps/app-types.ts';
import type { MachineTypes } from '../apps/machine-types.ts';
import type { Account } from '../auth/accounts.ts';
import type { NewKey } from '../auth/keys.ts';
import type { ClientHosts } from '../ports/route.ts';

/** Port an app listens on when nothing else was said (platform-semantics 3.6). */
export const defaultAppPort = 8080;

/** Where the bridge puts the CA bundle inside a runner. */
export const runnerCaBundlePath = '/etc/lanner/ca-bundle.pem';

/** What the platform tells every runner about itself. */
export interface RunnerPlatform {
  /** Host names by which code in a runner reaches this platform. */
  hosts: ClientHosts;
  /** What the URLs of our files begin with, by every name the platform has. */
  fileUrls: readonly string[];
  /** Shown to apps as FAL_REGION. */
  region: string;
  /** A CA bundle is mounted into runners; without one nothing is said about certificates. */
  hasCaBundle: boolean;
}

export interface RunnerRequestInput {
  runnerId: string;
  account: Account;
  /** Revision, or run for ephemeral code. */
  revisionId: string;
  /** Public name without its owner. */
  name: string;
  code: CodeSpec;
  purpose: 'serve' | 'run';
  startupTimeoutSeconds: number;
  machineType: string;
  machineTypes: Pick<MachineTypes, 'get'>;
  key: NewKey;
  secrets: Record<string, string>;
  /** Values for `${NAME}` in the requirements; null: they mention none. */
  requirementSecrets: Record<string, string> | null;
  /** With the mode each was uploaded with. */
  files: AppFile[];
  platform: RunnerPlatform;
}

/**
 * Everything the supervisor needs to start a runner of some code. Pure.
 * Throws `unimplemented` when the code has no callable: image-only code needs a container driver.
 */
export function toStartRunnerRequest(input: RunnerRequestInput): StartRunnerRequest {
  const { code, account } = input;
  if (code.callable === null) {
    throw new LannerError('unimplemented', 'This app is only an image. Runners in containers are not supported yet.');
  }
  const startupTimeoutMs = input.startupTimeoutSeconds * 1000;
  const exposedPort = toExposedPort(code, input.purpose);
  return {
    runnerId: input.runnerId,
    accountId: account.accountId,
    accountOrdinal: account.ordinal,
    revisionId: input.revisionId,
    appName: `${account.nickname}/${input.name}`,
    environment: code.environment,
    ...(input.requirementSecrets === null ? {} : { requirementSecrets: input.requirementSecrets }),
    callable: code.callable,
    purpose: input.purpose,
    runOnMainThread: code.runOnMainThread,
    ...(exposedPort === null ? {} : { exposedPort }),
    ...(code.metricsPort === null ? {} : { metricsPort: code.metricsPort }),
    ...(code.healthCheck === null ? {} : { healthCheck: toHealthCheck(code.healthCheck, startupTimeoutMs) }),
    startupTimeoutMs,
    graceMs: toGraceMs(code),
    files: input.files,
    dataMounts: code.dataMounts,
    env: toRunnerEnv(input),
    limits: toRunnerLimits(input.machineTypes, input.machineType, code.numGpus),
    machineType: input.machineType,
  };
}

/** A serving runner always listens somewhere; a plain function only where it was told to. */
export function toExposedPort(code: CodeSpec, purpose: 'serve' | 'run'): number | null {
  return code.exposedPort ?? (purpose === 'serve' ? defaultAppPort : null);
}

/**
 * What a runner may use; a GPU type counts once per GPU. Names are checked when an app is registered: a type that is gone
 * since then gets what the smallest has.
 */
export function toRunnerLimits(
  machineTypes: Pick<MachineTypes, 'get'>,
  machineType: string,
  gpuCount: number | null,
): StartRunnerRequest['limits'] {
  const { memoryMiB, cpus, gpu } = machineTypes.get(machineType) ?? { memoryMiB: 512, cpus: 0.5, gpu: null };
  const factor = gpu ? Math.max(1, gpuCount ?? 1) : 1;
  return { memoryMiB: memoryMiB * factor, cpus: cpus * factor };
}

/** Time between SIGTERM and SIGKILL for runners of this code. */
export function toGraceMs(code: CodeSpec): number {
  return code.terminationGraceSeconds * 1000;
}

/** Failures are ignored for at least as long as starting may take (platform-semantics 3.5). */
function toHealthCheck(healthCheck: HealthCheck, startupTimeoutMs: number): HealthCheck {
  return { ...healthCheck, startPeriodMs: Math.max(healthCheck.startPeriodMs, startupTimeoutMs) };
}

/**
 * Environment variables of a runner (grpc-controller 5.4, platform-semantics 3.6). What the platform says wins over a
 * secret of the same name, so a stored `FAL_KEY` never replaces the runner's own; only `HF_HOME` is a mere default.
 * `IS_ISOLATE_AGENT` and the log label channel are the bridge's, `FAL_RUNNER_STATE` is the app's.
 */
export function toRunnerEnv(input: RunnerRequestInput): Record<string, string> {
  const { hosts, fileUrls, region, hasCaBundle } = input.platform;
  return {
    HF_HOME: '/data/.cache/huggingface',
    ...input.secrets,
    FAL_KEY: `${input.key.keyId}:${input.key.keySecret}`,
    FAL_KEY_ID: input.key.keyId,
    FAL_KEY_SECRET: input.key.keySecret,
    // `fal` asserts that FAL_HOST begins with `api` unless FAL_GRPC_HOST is set too.
    FAL_HOST: hosts.grpcHost,
    FAL_GRPC_HOST: hosts.grpcHost,
    FAL_REST_HOST: hosts.restHost,
    FAL_RUN_HOST: hosts.runHost,
    FAL_QUEUE_RUN_HOST: hosts.queueHost,
    FAL_WS_RUN_HOST: hosts.wsHost,
    // A whole URL, unlike the others.
    FAL_CDN_V3_HOST: `https://${hosts.cdnHost}`,
    // For the bridge (docs/protocols/bridge.md): the official code has no variable for them.
    LANNER_KV_URL: `https://${hosts.kvHost}`,
    LANNER_FILE_URLS: fileUrls.join(' '),
    FAL_APP_NAME: `${input.account.nickname}/${input.name}`,
    FAL_APP_ID: input.revisionId,
    FAL_USER_NICKNAME: input.account.nickname,
    FAL_JOB_ID: input.runnerId,
    FAL_REGION: region,
    ...(hasCaBundle
      ? {
          SSL_CERT_FILE: runnerCaBundlePath,
          REQUESTS_CA_BUNDLE: runnerCaBundlePath,
          GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: runnerCaBundlePath,
        }
      : {}),
  };
}
