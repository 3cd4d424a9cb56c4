import type { Callable, EnvironmentDefinition, HealthCheck, Json } from '@lanner/protocol';

export type AuthMode = 'private' | 'public' | 'shared';

/** Settings that an alias keeps across deploys (platform-semantics 2.5). Seconds as on the wire. */
export interface TunableSettings {
  keepAliveSeconds: number;
  minConcurrency: number;
  maxConcurrency: number;
  concurrencyBuffer: number;
  concurrencyBufferPerc: number;
  scalingDelaySeconds: number;
  requestTimeoutSeconds: number;
  /** null: no default. */
  requestStartTimeoutSeconds: number | null;
  validRegions: string[];
}

/** Settings that every deploy takes from the code. */
export interface CodeSettings {
  maxMultiplexing: number;
  startupTimeoutSeconds: number;
  machineTypes: string[];
}

export type ScaleSettings = TunableSettings & CodeSettings;

/** Server defaults (platform-semantics 2.1). */
export const defaultScaleSettings: ScaleSettings = {
  keepAliveSeconds: 10,
  minConcurrency: 0,
  maxConcurrency: 2,
  concurrencyBuffer: 0,
  concurrencyBufferPerc: 0,
  scalingDelaySeconds: 0,
  requestTimeoutSeconds: 3600,
  requestStartTimeoutSeconds: null,
  validRegions: [],
  maxMultiplexing: 1,
  startupTimeoutSeconds: 600,
  machineTypes: ['XS'],
};

/** Everything needed to start a runner of some code; shared by revisions and ephemeral runs. */
export interface CodeSpec {
  environment: EnvironmentDefinition;
  /** null: image-only (no callable). */
  callable: Callable | null;
  runOnMainThread: boolean;
  exposedPort: number | null;
  metricsPort: number | null;
  healthCheck: HealthCheck | null;
  files: { hash: string; relativePath: string }[];
  dataMounts: string[];
  /** null: default exposure; otherwise exactly these. */
  secretNames: string[] | null;
  terminationGraceSeconds: number;
  numGpus: number | null;
}

/** Immutable result of one deploy. */
export interface Revision {
  revisionId: string;
  accountId: string;
  environmentName: string;
  /** Alias it was registered under; null when none was given. */
  aliasName: string | null;
  createdAtMs: number;
  code: CodeSpec;
  /** Scale settings as the code gave them, defaults filled in. */
  settings: ScaleSettings;
  metadata: { [key: string]: Json } | null;
  sourceCode: string | null;
  privateLogs: boolean;
  skipRetryConditions: string[];
  retryConfig: string | null;
}

/** Public name → one revision. `aliasName` is the full one, `--environment` included; unique in its account. */
export interface Alias {
  /** `accountId/aliasName`: known before the alias exists, stable over redeploys; scheduler and gateway key on it. */
  aliasId: string;
  accountId: string;
  environmentName: string;
  aliasName: string;
  revisionId: string;
  authMode: AuthMode;
  settings: ScaleSettings;
  createdAtMs: number;
  updatedAtMs: number;
}
